"""LVIS from a model's detections to figures and files, alone and shared by processes."""

import json
from collections.abc import Sequence
from functools import partial
from threading import local
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fiber.data.grounding_batch import EvaluationBatch
from fiber.data.records import LabeledBox
from fiber.detection.postprocessing import Detections
from fiber.evaluation.lvis import evaluate_lvis
from fiber.evaluation.lvis_boxes import BestPerClass, ScoredBoxes
from fiber.evaluation.lvis_truth import GroundTruth
from fiber.tasks.fine.boxes import lvis_evaluator
from fiber.tasks.fine.boxes.asking import ClassAsker, ImageResult
from fiber.tasks.fine.boxes.lvis_evaluator import CLASS_FILE, RESULT_FILE, LvisEvaluator
from fiber.tasks.split_evaluator import EvaluationResult
from fiber.utils.errors import UserError

from ....data.federated_memory import CAT, EXAMPLE, EXAMPLE_FOUND, CheckedImage, Found, MemoryFederated
from ....processes import run_as_processes

NUM_IMAGES = 7


class KnownAnswers(ClassAsker):
    """Finds in every image what it is told."""

    def __init__(self, found: Sequence[Sequence[Found]]) -> None:
        self.found = found
        self.num_forgotten = 0

    def ask(self, model: nn.Module, batch: EvaluationBatch) -> list[ImageResult]:
        assert not torch.is_grad_enabled()
        return [ImageResult(image, self.detections(image), MemoryFederated.classes) for image in batch.image_index]

    def detections(self, image: int) -> Detections:
        boxes, labels, scores = zip(*self.found[image], strict=True) if self.found[image] else ((), (), ())
        return Detections(
            torch.tensor(boxes).view(-1, 4), torch.tensor(scores), torch.tensor(labels, dtype=torch.int64)
        )

    def forget(self) -> None:
        self.num_forgotten += 1


def make_batch(images: Sequence[int]) -> EvaluationBatch:
    size, none = len(images), (None,) * len(images)
    pixels = torch.zeros(size, 3, 32, 32, dtype=torch.uint8)
    sizes = torch.tensor([[32, 32]] * size)
    return EvaluationBatch(pixels, sizes, ((32, 32),) * size, none, ((),) * size, tuple(images))


def judged(reader: MemoryFederated, found: Sequence[Sequence[Found]], images: Sequence[int]) -> LvisEvaluator:
    evaluator = LvisEvaluator(reader, asker=KnownAnswers(found), num_samples=len(reader))
    for start in range(0, len(images), 2):
        evaluator.add(nn.Identity(), make_batch(images[start : start + 2]), number=0)
    return evaluator


def random_split(seed: int = 0) -> tuple[MemoryFederated, list[list[Found]]]:
    """Images of a few objects, and detections near them with many equal scores."""
    generator = np.random.default_rng(seed)
    images, found = [], []
    for _ in range(NUM_IMAGES):
        corners = generator.random((4, 2)) * 50
        boxes = np.concatenate([corners, corners + 20 + generator.random((4, 2)) * 60], axis=1)
        labels = generator.integers(0, 3, 4).tolist()
        objects = [LabeledBox(tuple(box), label) for box, label in zip(boxes.tolist(), labels, strict=True)]
        images.append(CheckedImage(objects, negative=[label for label in range(3) if label not in labels]))
        near = (boxes[:, None] + generator.normal(0, 4, (4, 5, 4))).reshape(-1, 4).tolist()
        scores = (generator.integers(1, 6, 20) / 8).tolist()
        found.append([(tuple(near[row]), int(generator.integers(0, 3)), scores[row]) for row in range(20)])
    return MemoryFederated(*images), found


def read_back(reader: MemoryFederated, content: str) -> ScoredBoxes:
    """A file in LVIS' result format."""
    rows = json.loads(content)
    corners = np.array([row["bbox"] for row in rows])
    corners[:, 2:] += corners[:, :2]
    place = {int(reader.image_id(index)): index for index in range(len(reader))}
    return ScoredBoxes(
        np.array([place[row["image_id"]] for row in rows], dtype=np.int32),
        np.array([reader.category_ids.index(row["category_id"]) for row in rows], dtype=np.int32),
        corners,
        np.array([row["score"] for row in rows]),
    )


def run_two(
    reader: MemoryFederated, found: Sequence[Sequence[Found]], monkeypatch: pytest.MonkeyPatch
) -> list[EvaluationResult]:
    """Every second image by the other process."""
    me = local()

    def gather_at_first(value: Any) -> list[Any] | None:
        everyone = lvis_evaluator.gather_objects(value)
        return everyone if me.rank == 0 else None

    def process(rank: int) -> EvaluationResult:
        me.rank = rank
        return judged(reader, found, range(rank, len(reader), 2)).finish()

    monkeypatch.setattr(lvis_evaluator, "gather_at_first", gather_at_first)
    return run_as_processes([partial(process, rank) for rank in range(2)], monkeypatch, lvis_evaluator)


def test_both_protocols_have_their_figures() -> None:
    evaluator = judged(EXAMPLE, EXAMPLE_FOUND, range(2))
    metrics = evaluator.finish().metrics
    names = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf", "AR", "ARs", "ARm", "ARl")
    assert list(metrics) == [f"{group}/{name}" for group in ("lvis", "lvis_fixed") for name in names]
    assert round(metrics[evaluator.monitored], 6) == round(metrics["lvis/AP"], 6) == 0.667492
    assert metrics["lvis_fixed/APr"] == -1


def test_the_standard_protocol_limits_an_image_and_the_fixed_one_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lvis_evaluator, "DETECTIONS_PER_IMAGE", 3)
    monkeypatch.setattr(lvis_evaluator, "DETECTIONS_PER_CLASS", 2)
    result = judged(EXAMPLE, EXAMPLE_FOUND, range(2)).finish()
    # The best three of the first image are a dog that is none and both cats, of the second all three.
    standard = read_back(EXAMPLE, result.files[RESULT_FILE])
    assert standard.scores.tolist() == pytest.approx([0.95, 0.9, 0.8, 0.85, 0.6, 0.5])
    assert result.metrics["lvis/APf"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    # The best two cats are one that is there and one without a box.
    assert result.metrics["lvis_fixed/APf"] == pytest.approx(51 / 101)


@pytest.mark.parametrize("limits", [(300, 10_000), (6, 15)])
def test_two_processes_find_what_one_finds(limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lvis_evaluator, "DETECTIONS_PER_IMAGE", limits[0])
    monkeypatch.setattr(lvis_evaluator, "DETECTIONS_PER_CLASS", limits[1])
    reader, found = random_split()
    expected = judged(reader, found, range(NUM_IMAGES)).finish()
    first, second = run_two(reader, found, monkeypatch)
    assert first == expected
    assert (second.metrics, second.files) == (expected.metrics, {})
    assert 0.05 < expected.metrics["lvis/AP"] < 0.95


def test_the_result_file_has_the_standard_figures() -> None:
    reader, found = random_split()
    result = judged(reader, found, [5, 0, 6, 2, 1, 4, 3]).finish()
    rows = json.loads(result.files[RESULT_FILE])
    assert len(rows) == 20 * NUM_IMAGES and rows[0].keys() == {"image_id", "category_id", "bbox", "score"}
    assert [row["image_id"] for row in rows[::20]] == list(range(100, 100 + NUM_IMAGES))
    again = evaluate_lvis(GroundTruth.read(reader, NUM_IMAGES), read_back(reader, result.files[RESULT_FILE])).metrics
    assert again == {name: result.metrics[f"lvis/{name}"] for name in again}


def test_the_table_tells_the_fixed_figure_of_every_class() -> None:
    content = judged(EXAMPLE, EXAMPLE_FOUND, range(2)).finish().files[CLASS_FILE]
    assert isinstance(content, str)
    header, cat, dog, owl = content.splitlines()
    assert (header, dog, owl) == ("class,frequency,AP", '"dog, small",c,0.5', "owl,r,")
    assert cat.startswith("cat,f,0.83498")


def test_memory_is_bounded_whatever_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lvis_evaluator, "DETECTIONS_PER_IMAGE", 5)
    monkeypatch.setattr(lvis_evaluator, "BestPerClass", partial(BestPerClass, slack=30))
    monkeypatch.setattr(lvis_evaluator, "DETECTIONS_PER_CLASS", 20)
    reader = MemoryFederated(*[CheckedImage()] * 50)
    many: list[Found] = [((0.0, 0.0, 9.0, 9.0), CAT, score / 100) for score in range(10)]
    evaluator = LvisEvaluator(reader, asker=KnownAnswers([many] * 50), num_samples=50)
    for image in range(50):
        evaluator.add(nn.Identity(), make_batch([image]), number=0)
        assert len(evaluator.fixed) <= 20 + 30
        assert sum(map(len, evaluator.standard)) == 5 * (image + 1)


def test_a_second_split_starts_anew_and_the_prompts_are_encoded_anew() -> None:
    evaluator = judged(EXAMPLE, EXAMPLE_FOUND, range(2))
    first = evaluator.finish()
    assert isinstance(evaluator.asker, KnownAnswers) and evaluator.asker.num_forgotten == 1
    evaluator.add(nn.Identity(), make_batch([1, 0]), number=0)
    assert evaluator.finish() == first
    assert evaluator.picture() is not None
    with pytest.raises(UserError, match="memory: nothing was evaluated"):
        evaluator.finish()


def test_images_in_which_nothing_is_found_are_judged() -> None:
    result = judged(EXAMPLE, ((), ()), range(2)).finish()
    assert (result.metrics["lvis/AP"], result.metrics["lvis_fixed/APr"]) == (0, -1)
    assert json.loads(result.files[RESULT_FILE]) == []


@pytest.mark.parametrize("images", [[0], [0, 1, 1], [0, 0]])
def test_an_image_missed_or_judged_twice_never_passes(images: list[int]) -> None:
    with pytest.raises(AssertionError, match="an image was missed or judged twice"):
        judged(EXAMPLE, EXAMPLE_FOUND, images).finish()
