"""From readers to batches."""

from collections.abc import Sequence

import pytest
import torch
from PIL import Image

from fiber.data.batch import PairBatch, SampleKey
from fiber.data.broken_images import MIN_SAMPLES, BrokenImageLog
from fiber.data.mixture import Mixture
from fiber.data.pair_data_module import PairDataConfig, PairDataModule
from fiber.data.pair_dataset import PairDataset
from fiber.data.readers.base import BrokenImageError, CaptionReader
from fiber.data.tokenization import TextTokenizer, train_tokenizer
from fiber.data.transforms import ResizeTransform
from fiber.utils.errors import UserError

from .noted_flips import NotedFlips


class Memory(CaptionReader):
    """Images of one grey value each, with `captions` captions; some are broken."""

    name = "memory"

    def __init__(self, size: int, *, captions: int = 1, broken: Sequence[int] = ()) -> None:
        self.size, self.num_captions, self.broken = size, captions, set(broken)

    def __len__(self) -> int:
        return self.size

    def captions(self, index: int) -> Sequence[str]:
        return [f"image {index} caption {number}" for number in range(self.num_captions)]

    def image_id(self, index: int) -> str:
        return str(index)

    def location(self, index: int) -> str:
        return f"memory/{index}"

    def load_image(self, index: int) -> Image.Image:
        if index in self.broken:
            raise BrokenImageError(self.location(index))
        return Image.new("RGB", (5, 5), (index, index, index))


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return train_tokenizer(["image caption 0 1 2 3 4 5 6 7 8 9"], 400)


def dataset(reader: CaptionReader, *, training: bool = True) -> PairDataset:
    return PairDataset(reader, transform=ResizeTransform(32), seed=0, training=training)


def data_module(tokenizer: TextTokenizer, train: CaptionReader, num_workers: int = 0) -> PairDataModule:
    config = PairDataConfig(image_size=32, max_text_length=12, batch_size=4, num_workers=num_workers, seed=3)
    return PairDataModule(config, train=[train], val=Memory(6, captions=2), tokenizer=tokenizer)


def test_every_image_comes_with_each_of_its_captions() -> None:
    pairs = dataset(Memory(3, captions=2))
    samples = [pairs[SampleKey(index, index)] for index in range(len(pairs))]
    assert [(sample.image_index, sample.caption) for sample in samples] == [
        (image, f"image {image} caption {number}") for image in range(3) for number in range(2)
    ]
    assert [int(sample.image[0, 0, 0]) for sample in samples] == [0, 0, 1, 1, 2, 2]


def test_an_image_is_not_flipped_if_its_caption_tells_left_from_right() -> None:
    class Directed(Memory):
        def captions(self, index: int) -> Sequence[str]:
            return ["a dog", "a dog at the left", "The rightmost dog", "it is bright"]

    transform = NotedFlips()
    pairs = PairDataset(Directed(1, captions=4), transform=transform, seed=0, training=True)
    for index in range(len(pairs)):
        pairs[SampleKey(index, 0)]
    assert transform.flips == [None, False, False, None]


def test_a_broken_image_is_replaced_by_one_that_the_draw_decides() -> None:
    pairs = dataset(Memory(50, broken=[7]))
    samples = [pairs[SampleKey(7, draw)] for draw in range(20)]
    assert all(sample.broken[0] == "memory/7" and sample.image_index != 7 for sample in samples)
    assert len({sample.image_index for sample in samples}) > 5
    assert pairs[SampleKey(7, 3)].image_index == samples[3].image_index


def test_a_broken_image_is_an_error_where_models_are_judged() -> None:
    with pytest.raises(UserError, match="cannot evaluate without memory/0"):
        dataset(Memory(2, broken=[0]), training=False)[SampleKey(0, 0)]


def test_an_empty_or_wholly_broken_data_set_is_named() -> None:
    with pytest.raises(UserError, match="memory: the split holds no image"):
        dataset(Memory(0))
    with pytest.raises(UserError, match="10 images in a row cannot be used"):
        dataset(Memory(3, broken=range(3)))[SampleKey(0, 0)]


def test_a_mixture_numbers_its_sources_one_after_the_other() -> None:
    mixture = Mixture([dataset(Memory(3)), dataset(Memory(2, captions=2))])
    assert len(mixture) == 7
    assert mixture[SampleKey(3, 9)].caption == "image 0 caption 0"
    assert mixture[SampleKey(6, 9)].caption == "image 1 caption 1"
    assert mixture[SampleKey(6, 9)].key == SampleKey(6, 9)
    with pytest.raises(UserError, match="give one positive number for each of 1 data sets"):
        Mixture([dataset(Memory(3))], weights=[1, 2])


def fields(batch: PairBatch) -> list[torch.Tensor]:
    return [batch.image, batch.text_ids, batch.masked_ids, batch.masked_labels, batch.sample, batch.draw]


def test_workers_do_not_change_a_batch(tokenizer: TextTokenizer) -> None:
    alone = list(data_module(tokenizer, Memory(20)).train_dataloader())
    helped = list(data_module(tokenizer, Memory(20), num_workers=2).train_dataloader())
    assert len(alone) == len(helped) == 5
    for one, other in zip(alone, helped, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(fields(one), fields(other), strict=True))


def test_batches_hold_what_they_say(tokenizer: TextTokenizer) -> None:
    batch = next(iter(data_module(tokenizer, Memory(20)).train_dataloader()))
    assert batch.image.dtype == torch.uint8 and batch.image.shape == (4, 3, 32, 32)
    assert torch.equal(batch.image[:, 0, 0, 0].long(), batch.image_index)
    selected = batch.masked_labels != -100
    assert torch.equal(batch.masked_labels[selected], batch.text_ids[selected])
    assert torch.equal(batch.masked_ids[~selected], batch.text_ids[~selected])
    assert not (selected & ~batch.text_mask).any() and not selected[:, 0].any()
    assert batch.captions == tuple(f"image {index} caption 0" for index in batch.image_index.tolist())


def test_pairs_are_read_again_as_they_were(tokenizer: TextTokenizer) -> None:
    module = data_module(tokenizer, Memory(20, broken=[3, 4]))
    batches = list(module.train_dataloader())
    keys = [
        SampleKey(*key) for batch in batches for key in zip(batch.sample.tolist(), batch.draw.tolist(), strict=True)
    ]
    again = list(module.load_pairs(keys[2:9]))
    images = torch.cat([batch.image for batch in batches])[2:9]
    assert torch.equal(torch.cat([batch.image for batch in again]), images)


def test_a_validation_split_too_small_for_the_processes_is_named(tokenizer: TextTokenizer) -> None:
    module = data_module(tokenizer, Memory(100))
    module.check_size(12)
    with pytest.raises(UserError, match="hold 12 samples, fewer than the 13 processes"):
        module.check_size(13)


def test_validation_covers_every_pair_in_order(tokenizer: TextTokenizer) -> None:
    module = data_module(tokenizer, Memory(20))
    (loader,) = module.val_dataloader()
    samples = torch.cat([batch.sample for batch in loader])
    assert samples.tolist() == list(range(12))


def test_too_many_broken_images_stop_a_long_run_at_once() -> None:
    log = BrokenImageLog(max_share=0.01)
    assert log.add(500, ["a", "a", "b"]) == ["a", "b"]
    assert log.add(400, ["b"]) == []  # known already
    log.add(MIN_SAMPLES, [])
    with pytest.raises(UserError, match=r"34 of 2000 samples .*more than data\.max_broken=0\.01"):
        log.add(100, [f"c{number}" for number in range(30)])


def test_a_short_run_is_judged_at_its_end() -> None:
    log = BrokenImageLog(max_share=0.01)
    log.add(10, ["a"])
    with pytest.raises(UserError, match="1 of 10 samples"):
        log.check()
    patient = BrokenImageLog(max_share=0.5)
    patient.add(10, ["a"])
    patient.check()
