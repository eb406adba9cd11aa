"""Statements with two images, from reader to batch."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fiber.data.batch import SampleKey
from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.task_readers import StatementReader
from fiber.data.records import Statement
from fiber.data.statement_collate import StatementCollator
from fiber.data.statement_dataset import StatementDataset
from fiber.data.tokenization import train_tokenizer
from fiber.data.transforms import PixelTransform, RandAugmentTransform, ResizeTransform
from fiber.utils.errors import UserError


class Halves(StatementReader):
    """Pictures with a bright left half, the second one darker; some are broken."""

    name = "halves"

    def __init__(self, size: int, *, text: str = "two halves", broken: Sequence[int] = ()) -> None:
        self.size, self.text, self.broken = size, text, set(broken)

    def __len__(self) -> int:
        return self.size

    def statement(self, index: int) -> Statement:
        return Statement(f"{self.text} {index}", index % 2 == 0, f"halves-{index}")

    def location(self, index: int) -> str:
        return f"halves/{index}"

    def load_images(self, index: int) -> tuple[Image.Image, Image.Image]:
        if index in self.broken:
            raise BrokenImageError(self.location(index))
        return half(200 + index), half(100 + index)


def half(shade: int) -> Image.Image:
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    pixels[:, :16] = shade
    return Image.fromarray(pixels)


def dataset(
    reader: Halves, *, transform: PixelTransform | None = None, training: bool = True, max_samples: int | None = None
) -> StatementDataset:
    return StatementDataset(
        reader, transform=transform or ResizeTransform(32), seed=0, training=training, max_samples=max_samples
    )


def flips(image: Tensor) -> tuple[bool, bool]:
    """Of both images: is the bright half at the right?"""
    halves = image.float().unflatten(-1, (2, 16)).mean(dim=(1, 2, 4))  # 2 images, 2 halves
    left, right = (halves[:, 1] > halves[:, 0]).tolist()
    return left, right


@pytest.fixture
def transform(monkeypatch: pytest.MonkeyPatch) -> RandAugmentTransform:
    """Crops and flips only: what else is done to pictures may hide which half is bright."""
    monkeypatch.setattr("fiber.data.transforms.rand_augment", lambda image, rng: image)
    return RandAugmentTransform(32)


def test_both_images_are_flipped_or_neither(transform: RandAugmentTransform) -> None:
    samples = dataset(Halves(1), transform=transform)
    seen = [flips(samples[SampleKey(0, draw)].image) for draw in range(60)]
    assert set(seen) == {(True, True), (False, False)}
    assert 15 < seen.count((True, True)) < 45


@pytest.mark.parametrize("text", ["the left half", "Rightmost halves", "more in the right-hand image"])
def test_images_are_not_flipped_where_left_and_right_are_told_apart(transform: RandAugmentTransform, text: str) -> None:
    samples = dataset(Halves(1, text=text), transform=transform)
    assert {flips(samples[SampleKey(0, draw)].image) for draw in range(60)} == {(False, False)}


def test_the_images_of_a_pair_are_augmented_apart() -> None:
    class Twins(Halves):
        def load_images(self, index: int) -> tuple[Image.Image, Image.Image]:
            return half(200), half(200)

    samples = dataset(Twins(1), transform=RandAugmentTransform(32))
    assert not all(torch.equal(*samples[SampleKey(0, draw)].image) for draw in range(5))
    assert torch.equal(samples[SampleKey(0, 3)].image, samples[SampleKey(0, 3)].image)


def test_a_broken_pair_is_replaced_in_training_and_an_error_in_evaluation() -> None:
    reader = Halves(9, broken=[4])
    samples = [dataset(reader)[SampleKey(4, draw)] for draw in range(20)]
    assert all(sample.broken[0] == "halves/4" and sample.statement.identifier != "halves-4" for sample in samples)
    assert all(int(sample.image[1, 0, 0, 0]) == 100 + int(sample.statement.identifier[7:]) for sample in samples)
    assert all(sample.key.sample == 4 for sample in samples)
    with pytest.raises(UserError, match="halves: cannot evaluate without halves/4"):
        dataset(reader, training=False)[SampleKey(4, 0)]


def test_an_empty_reader_is_refused_and_a_long_one_cut() -> None:
    with pytest.raises(UserError, match="halves: the split holds no statement"):
        dataset(Halves(0))
    assert (len(dataset(Halves(9), max_samples=5)), len(dataset(Halves(3), max_samples=5))) == (5, 3)


def test_a_batch_holds_what_its_samples_say() -> None:
    samples = dataset(Halves(4, broken=[3]))
    tokenizer = train_tokenizer(["two halves 0 1 2 3"], 300)
    batch = StatementCollator(tokenizer, max_text_length=6)([samples[SampleKey(index, 9)] for index in (2, 1, 3)])
    assert batch.image.shape == (3, 2, 3, 32, 32) and batch.image.dtype == torch.uint8 and len(batch) == 3
    assert batch.image[:2, :, 0, 0, 0].tolist() == [[202, 102], [201, 101]]
    assert batch.is_true[:2].tolist() == [True, False]
    assert batch.sample.tolist() == [2, 1, 3]
    assert [statement.text for statement in batch.statements[:2]] == ["two halves 2", "two halves 1"]
    expected = tokenizer.encode([statement.text for statement in batch.statements], 6)
    assert torch.equal(batch.text_ids, expected.ids) and torch.equal(batch.text_mask, expected.mask)
    assert batch.broken[0] == "halves/3"
