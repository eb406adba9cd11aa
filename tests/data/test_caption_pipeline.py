"""From captioned images to batches to learn from and to be judged on."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fiber.data.batch import SampleKey
from fiber.data.caption_collate import CaptionCollator
from fiber.data.caption_dataset import CaptionDataset
from fiber.data.readers.base import BrokenImageError, CaptionReader
from fiber.data.readers.karpathy import KarpathyCaptions
from fiber.data.tokenization import TextTokenizer, train_tokenizer
from fiber.data.transforms import RandAugmentTransform, ResizeTransform
from fiber.utils.errors import UserError

from .noted_flips import NotedFlips


class Memory(CaptionReader):
    """Images of one grey value each with given captions; some are broken."""

    name = "memory"

    def __init__(self, *captions: Sequence[str], broken: Sequence[int] = ()) -> None:
        self.all_captions, self.broken = captions, set(broken)

    def __len__(self) -> int:
        return len(self.all_captions)

    def captions(self, index: int) -> Sequence[str]:
        return self.all_captions[index]

    def image_id(self, index: int) -> str:
        return f"id{index}"

    def location(self, index: int) -> str:
        return f"memory/{index}"

    def load_image(self, index: int) -> Image.Image:
        if index in self.broken:
            raise BrokenImageError(self.location(index))
        return Image.new("RGB", (5, 5), (index, index, index))


CAPTIONS = (["a dog", "the dog"], ["a cat"], ["one bird", "a bird", "birds"])


def dataset(reader: CaptionReader, *, training: bool, **options: int) -> CaptionDataset:
    return CaptionDataset(reader, transform=ResizeTransform(32), seed=0, training=training, **options)


def test_training_shows_every_caption_and_evaluation_every_image_once() -> None:
    learned, judged = (dataset(Memory(*CAPTIONS), training=training) for training in (True, False))
    assert [learned[SampleKey(index, 0)].caption for index in range(len(learned))] == [
        caption for captions in CAPTIONS for caption in captions
    ]
    assert [int(judged[SampleKey(index, 0)].image[0, 0, 0]) for index in range(len(judged))] == [0, 1, 2]
    assert [judged[SampleKey(index, 0)].caption for index in range(3)] == ["a dog", "a cat", "one bird"]
    assert [judged[SampleKey(index, 0)].references for index in range(3)] == [tuple(one) for one in CAPTIONS]
    assert [int(learned[SampleKey(index, 0)].image[0, 0, 0]) for index in range(6)] == [0, 0, 1, 2, 2, 2]
    assert len(dataset(Memory(*CAPTIONS), training=True, max_samples=4)) == 4


def test_a_broken_image_is_replaced_in_training_and_an_error_in_evaluation() -> None:
    reader = Memory(*CAPTIONS, broken=[1])
    sample = dataset(reader, training=True)[SampleKey(2, 5)]
    assert sample.broken[0] == "memory/1" and sample.key == SampleKey(2, 5)
    image = int(sample.image[0, 0, 0])
    assert image != 1 and sample.caption in sample.references == tuple(CAPTIONS[image])
    with pytest.raises(UserError, match="cannot evaluate without memory/1"):
        dataset(reader, training=False)[SampleKey(1, 0)]


def test_an_image_is_not_flipped_if_one_of_its_captions_tells_left_from_right() -> None:
    transform = NotedFlips()
    reader = Memory(["a dog", "a dog at the left"], ["it is bright"])
    samples = CaptionDataset(reader, transform=transform, seed=0, training=True)
    for index in range(3):
        samples[SampleKey(index, 0)]
    assert transform.flips == [False, False, None]


def half_black(size: int = 64) -> Image.Image:
    pixels = np.zeros((size, size, 3), dtype=np.uint8)
    pixels[:, size // 2 :] = 255
    return Image.fromarray(pixels)


def test_augmented_images_keep_left_and_right_where_the_captions_say_so() -> None:
    class Halves(Memory):
        def load_image(self, index: int) -> Image.Image:
            return half_black()

    def right_is_brighter(caption: str) -> list[bool]:
        samples = CaptionDataset(Halves([caption]), transform=RandAugmentTransform(32), seed=0, training=True)
        images = [samples[SampleKey(0, draw)].image.float() for draw in range(40)]
        return [bool(image[..., 24:].mean() > image[..., :8].mean()) for image in images]

    assert all(right_is_brighter("white at the right"))
    assert 5 < sum(right_is_brighter("black and white")) < 35


def test_batches_hold_captions_references_and_where_they_come_from() -> None:
    tokenizer = train_tokenizer([caption for captions in CAPTIONS for caption in captions], 400)
    samples = dataset(Memory(*CAPTIONS, broken=[1]), training=True)
    keys = [SampleKey(0, 7), SampleKey(5, 8)]
    batch = CaptionCollator(tokenizer, max_text_length=6)([samples[key] for key in keys])
    assert batch.image.dtype == torch.uint8 and batch.image.shape == (2, 3, 32, 32) and len(batch) == 2
    assert decoded(batch.text_ids, tokenizer) == ["a dog", "birds"]
    assert torch.equal(batch.text_mask, batch.text_ids != tokenizer.pad_id)
    assert batch.text_ids[0, 0] == tokenizer.bos_id and tokenizer.eos_id in batch.text_ids[0]
    assert (batch.sample.tolist(), batch.draw.tolist()) == ([0, 5], [7, 8])
    assert batch.references == (("a dog", "the dog"), ("one bird", "a bird", "birds"))
    assert batch.image[:, 0, 0, 0].tolist() == [0, 2] and batch.broken == ()


def decoded(ids: Tensor, tokenizer: TextTokenizer) -> list[str]:
    return [tokenizer.decode(row) for row in ids.tolist()]


def test_an_empty_split_is_named() -> None:
    with pytest.raises(UserError, match="memory: the split holds no image"):
        dataset(Memory(), training=True)


def test_an_image_without_a_reference_that_says_something_is_named_in_evaluation() -> None:
    with pytest.raises(UserError, match="memory: cannot evaluate captions of memory/1"):
        dataset(Memory(["a"], [""]), training=False)[SampleKey(1, 0)]


@pytest.fixture
def blank_karpathy(tmp_path: Path) -> KarpathyCaptions:
    """Two images; the second has blank captions only, the first one twice the same."""
    captions = {"a.jpg": ["A dog. ", " ", "A dog."], "b.jpg": ["", "  "]}
    images = [
        {"filename": name, "split": "val", "cocoid": number, "sentences": [{"raw": text} for text in texts]}
        for number, (name, texts) in enumerate(captions.items())
    ]
    for name in captions:
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    file = tmp_path / "dataset_coco.json"
    file.write_text(json.dumps({"images": images}))
    return KarpathyCaptions(str(file), image_folder=str(tmp_path), split="val")


def test_blank_captions_are_left_out_of_training_and_repetitions_count_in_evaluation(
    blank_karpathy: KarpathyCaptions,
) -> None:
    samples = dataset(blank_karpathy, training=True)
    assert [samples[SampleKey(index, 0)].caption for index in range(len(samples))] == ["A dog."]
    assert list(blank_karpathy.references(0)) == ["A dog.", "A dog."]


def test_evaluation_does_not_pass_over_an_image_with_blank_captions(blank_karpathy: KarpathyCaptions) -> None:
    with pytest.raises(UserError, match=r"captions of image 1 of .*dataset_coco\.json .*b\.jpg.* not blank"):
        dataset(blank_karpathy, training=False)


def test_the_real_validation_split_has_five_references_and_an_image_each(shared: Path) -> None:
    mini = shared / "data" / "mini"
    reader = KarpathyCaptions(str(mini / "karpathy/dataset_coco.json"), image_folder=str(mini / "coco"), split="val")
    samples = dataset(reader, training=False)
    assert len(samples) == 14
    assert all(len(reader.references(index)) >= 5 for index in range(14))
    for index in range(14):
        expected = ResizeTransform(32)(reader.load_image(index), np.random.default_rng())
        assert torch.equal(samples[SampleKey(index, 0)].image, expected)
