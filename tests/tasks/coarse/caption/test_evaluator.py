"""Judging captions."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fiber.data.batch import SampleKey
from fiber.data.caption_collate import CaptionCollator
from fiber.data.caption_dataset import CaptionDataset
from fiber.data.normalization import normalize_pixels
from fiber.data.readers.base import CaptionReader
from fiber.data.readers.karpathy import KarpathyCaptions
from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.tokenization import TextTokenizer, train_tokenizer
from fiber.data.transforms import ResizeTransform
from fiber.evaluation.captioning.caption_scores import caption_scores
from fiber.tasks.coarse.caption.evaluator import CaptionEvaluator, result_id

NUM_IMAGES = 5


class Recall:
    """Writes what was learned by heart: the caption of the image that equals the pixels."""

    def __init__(self, samples: CaptionDataset, captions: Sequence[str], tokenizer: TextTokenizer) -> None:
        images = torch.stack([samples[SampleKey(index, 0)].image for index in range(len(samples))])
        self.pixels = normalize_pixels(images)
        text = tokenizer.encode(captions, 40)
        self.ids = [ids[mask].tolist() for ids, mask in zip(text.ids, text.mask, strict=True)]
        self.num_written = 0

    def __call__(self, model: nn.Module, pixels: Tensor, *, keys: Sequence[int]) -> list[list[int]]:
        assert keys == list(range(self.num_written, self.num_written + len(pixels)))
        self.num_written += len(pixels)
        distances = torch.cdist(pixels.flatten(1), self.pixels.flatten(1))
        assert distances.min(dim=1).values.max() < 1e-3
        return [self.ids[index] for index in distances.argmin(dim=1).tolist()]


@pytest.fixture(scope="module")
def reader() -> ShapesCaptions:
    return ShapesCaptions("val", num_samples=NUM_IMAGES, image_size=32)


@pytest.fixture(scope="module")
def tokenizer(reader: ShapesCaptions) -> TextTokenizer:
    return train_tokenizer(reader.texts(), 400)


def evaluated(reader: CaptionReader, captions: Sequence[str], tokenizer: TextTokenizer) -> CaptionEvaluator:
    """An evaluator that has judged the split in batches of two."""
    samples = CaptionDataset(reader, transform=ResizeTransform(32), seed=0, training=False)
    writer = Recall(samples, captions, tokenizer)
    evaluator = CaptionEvaluator(reader, write=writer, tokenizer=tokenizer)
    collate = CaptionCollator(tokenizer, max_text_length=40)
    for start in range(0, len(samples), 2):
        keys = [SampleKey(index, index) for index in range(start, min(start + 2, len(samples)))]
        evaluator.add(nn.Identity(), collate([samples[key] for key in keys]), number=0)
    assert writer.num_written == len(samples)
    return evaluator


def true_captions(reader: ShapesCaptions) -> list[str]:
    return [reader.captions(index)[0] for index in range(NUM_IMAGES)]


def test_true_captions_score_highest(reader: ShapesCaptions, tokenizer: TextTokenizer) -> None:
    result = evaluated(reader, true_captions(reader), tokenizer).finish()
    assert result.metrics["caption/colors_and_shapes"] == 1 and result.metrics["caption/empty"] == 0
    assert result.metrics["caption/bleu_4"] == pytest.approx(1, abs=1e-8)
    assert result.metrics["caption/rouge_l"] == pytest.approx(1)
    assert result.metrics["caption/cider"] == pytest.approx(10) == result.metrics["caption/cider_d"]
    rows = json.loads(result.files["captions.json"])
    assert rows == [{"image_id": index, "caption": caption} for index, caption in enumerate(true_captions(reader))]


def test_wrong_and_empty_captions_are_counted_and_named(
    reader: ShapesCaptions, tokenizer: TextTokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    captions = true_captions(reader)
    captions[1], captions[2], captions[4] = captions[3], "", ""
    with caplog.at_level(logging.WARNING):
        metrics = evaluated(reader, captions, tokenizer).finish().metrics
    assert metrics["caption/colors_and_shapes"] == pytest.approx(2 / 5)
    assert metrics["caption/empty"] == pytest.approx(2 / 5)
    assert 0 < metrics["caption/cider"] < 5
    assert caplog.messages == ["shapes val: 2 of 5 captions are empty (images 2, 4)"]


def test_the_sheet_shows_captions_with_their_verdict_and_references(
    reader: ShapesCaptions, tokenizer: TextTokenizer
) -> None:
    captions = true_captions(reader)
    captions[1] = ""
    rows = evaluated(reader, captions, tokenizer).sheet()
    assert [(row.lines[0].text, row.lines[0].verdict) for row in rows] == [(captions[0], True), ("(empty)", False)]
    assert [row.lines[1].text for row in rows] == [f"reference: {reader.captions(index)[0]}" for index in (0, 1)]
    assert rows[0].images[0].shape == (3, 32, 32) and rows[0].images[0].dtype == torch.uint8


def test_the_real_test_split_is_judged_as_the_evaluator_does(shared: Path) -> None:
    mini = shared / "data" / "mini"
    reader = KarpathyCaptions(str(mini / "karpathy/dataset_coco.json"), image_folder=str(mini / "coco"), split="test")
    tokenizer = train_tokenizer(reader.texts(), 2000)
    captions = [reader.references(index)[-1] for index in range(len(reader))]
    result = evaluated(reader, captions, tokenizer).finish()
    written = json.loads(result.files["captions.json"])
    assert [row["image_id"] for row in written] == [int(reader.image_id(index)) for index in range(17)]
    assert [row["caption"] for row in written] == captions
    references = {reader.image_id(index): reader.references(index) for index in range(17)}
    scores = caption_scores(references, dict(zip(references, captions, strict=True)))
    assert result.metrics == {f"caption/{name}": score for name, score in scores.items()} | {"caption/empty": 0}
    assert scores["bleu_4"] == pytest.approx(1, abs=1e-8) and 2 < scores["cider"] < 10


def test_numbers_and_coco_s_file_names_become_numbers_in_the_result_file() -> None:
    numbers = {"391895": 391895, "COCO_val2014_000000391895.jpg": 391895, "COCO_train2014_000000000009.jpg": 9}
    assert {image: result_id(image) for image in numbers} == numbers
    for image in ("0042", "a1", "", "1000092795.jpg", "trip_12.jpg", "COCO_val2014.jpg"):
        assert result_id(image) == image
