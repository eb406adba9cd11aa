"""What validation sets ask, and how they judge.

Axes: B images, H W pixels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from fiber.data.grounding_batch import EvaluationBatch, Truth
from fiber.data.records import Box
from fiber.detection.postprocessing import Detections
from fiber.detection.prompt_chunks import PromptChunk
from fiber.detection.prompts import Prompt
from fiber.tasks import box_validation
from fiber.tasks.box_validation import BoxValidator, DetectionValidator, GroundingValidator

CAPTION = Prompt("Two men hold a red ball", (((0, 7),), ((13, 23),)))
CLASSES = ("cat", "dog")
CHUNKS = [PromptChunk(range(2), Prompt("cat. dog", (((0, 3),), ((5, 8),))), 5)]
PIXELS = torch.zeros(1, 3, 32, 32)


class Oracle:
    """Finds what it is told to, in pixels of the network's input, and notes what it was asked."""

    def __init__(self, *found: Detections) -> None:
        self.found = list(found)
        self.asked: list[Any] = []
        self.num_encoded = 0

    def ground(self, pixels: Tensor, sizes: Sequence[tuple[int, int]], prompts: Sequence[Prompt]) -> list[Detections]:
        self.asked.append((sizes, prompts))
        return [self.found.pop(0) for _ in sizes]

    def encode_classes(self, chunks: Sequence[PromptChunk]) -> int:
        self.num_encoded += 1
        return self.num_encoded

    def detect(self, pixels: Tensor, sizes: Sequence[tuple[int, int]], classes: int) -> list[Detections]:
        self.asked.append((sizes, classes))
        return [self.found.pop(0) for _ in sizes]


def detections(*found: tuple[Box, float, int]) -> Detections:
    boxes, scores, labels = zip(*found, strict=True) if found else ((), (), ())
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(scores),
        torch.tensor(labels, dtype=torch.int64),
    )


def truth(label: int, *box: float, crowd: bool = False) -> Truth:
    return Truth(label, (box[0], box[1], box[2], box[3]), crowd, (box[2] - box[0]) * (box[3] - box[1]))


def batch(*truths: Sequence[Truth], prompt: Prompt | None, first: int = 0) -> EvaluationBatch:
    """Images of 40 x 20 pixels (height by width) that the network sees in 80 x 60."""
    number = len(truths)
    return EvaluationBatch(
        image=torch.zeros(number, 3, 96, 64, dtype=torch.uint8),
        sizes=torch.tensor([[80, 60]] * number),
        original_sizes=((40, 20),) * number,
        prompts=(prompt,) * number,
        truths=tuple(map(tuple, truths)),
        image_index=tuple(range(first, first + number)),
    )


def ask(validator: BoxValidator, oracle: Oracle, seen: EvaluationBatch) -> list[box_validation.ImageResult]:
    return validator.ask(oracle, PIXELS, seen)  # type: ignore[arg-type]


def test_phrases_are_judged_in_pixels_of_the_original() -> None:
    # Twice as high and thrice as wide in the network's input.
    oracle = Oracle(detections(((30, 40, 60, 80), 0.9, 0), ((0, 0, 30, 40), 0.8, 1), ((0, 0, 60, 20), 0.7, 1)))
    validator = GroundingValidator()
    (result,) = ask(validator, oracle, batch([truth(0, 10, 20, 20, 40), truth(1, 0, 0, 20, 10)], prompt=CAPTION))
    assert oracle.asked == [([(80, 60)], [CAPTION])]
    assert result.detections.boxes.tolist() == [[10, 20, 20, 40], [0, 0, 10, 20], [0, 0, 20, 10]]
    assert (result.image_index, result.names) == (0, ("Two men", "a red ball"))
    assert validator.metrics() == {"recall_1": 0.5, "recall_5": 1.0, "recall_10": 1.0}


def test_a_phrase_is_judged_by_its_own_boxes_alone() -> None:
    box: Box = (0, 0, 60, 80)
    validator = GroundingValidator()
    ask(validator, Oracle(detections((box, 0.9, 1))), batch([truth(0, 0, 0, 20, 40)], prompt=CAPTION))
    assert validator.metrics()["recall_10"] == 0.0
    ask(validator, Oracle(detections((box, 0.9, 0))), batch([truth(0, 0, 0, 20, 40)], prompt=CAPTION))
    assert validator.metrics()["recall_1"] == 1.0  # and what was judged before is gone


def test_nothing_found_is_missed_and_boxes_may_be_whole_numbers() -> None:
    validator = GroundingValidator()
    seen = batch([Truth(0, (0, 0, 20, 40), False, 800)], [truth(1, 0, 0, 20, 40)], prompt=CAPTION)
    ask(validator, Oracle(detections(((0.0, 0.0, 60.0, 80.0), 0.9, 0)), detections()), seen)
    assert validator.metrics()["recall_1"] == 0.5


def test_classes_are_judged_in_pixels_of_the_original() -> None:
    oracle = Oracle(detections(((30, 40, 60, 80), 0.9, 1)), detections(((0, 0, 60, 80), 0.9, 0)))
    validator = DetectionValidator(CLASSES, CHUNKS)
    results = ask(validator, oracle, batch([truth(1, 10, 20, 20, 40)], [truth(1, 0, 0, 20, 40)], prompt=None, first=5))
    assert [result.image_index for result in results] == [5, 6]
    assert [result.names for result in results] == [CLASSES] * 2
    # One of two dogs was found; the other image's cat is of a class that nowhere is.
    metrics = validator.metrics()
    assert metrics["AP"] == pytest.approx(51 / 101) and metrics["AP75"] == pytest.approx(51 / 101)


def test_crowds_and_areas_reach_the_judge() -> None:
    found = [((0.0, 0.0, 30.0, 40.0), 0.9, 0), ((30.0, 40.0, 60.0, 80.0), 0.5, 0)]
    seen = [truth(0, 0, 0, 10, 20, crowd=True), truth(0, 10, 20, 20, 40)._replace(area=5000.0)]
    validator = DetectionValidator(CLASSES, CHUNKS)
    ask(validator, Oracle(detections(*found)), batch(seen, prompt=None))
    metrics = validator.metrics()
    assert (metrics["AP"], metrics["APs"], metrics["APm"]) == (pytest.approx(1.0), -1, pytest.approx(1.0))


def test_prompts_are_encoded_once_per_validation() -> None:
    """The weights change between two validations."""
    oracle = Oracle(*[detections()] * 4)
    validator = DetectionValidator(CLASSES, CHUNKS)
    for first in (0, 1):
        ask(validator, oracle, batch([], prompt=None, first=first))
    validator.metrics()
    for first in (0, 1):
        ask(validator, oracle, batch([], prompt=None, first=first))
    assert [classes for _, classes in oracle.asked] == [1, 1, 2, 2]


def grounding_images() -> list[tuple[list[Truth], Detections]]:
    generator = torch.Generator().manual_seed(0)
    images = []
    for _ in range(6):
        corner = torch.rand(4, 2, generator=generator) * 10
        boxes = torch.cat([corner, corner + 8], dim=1)
        truths = [truth(index % 2, *box) for index, box in enumerate(boxes[:2].tolist())]
        near = (boxes + 2 * torch.randn(4, 4, generator=generator)) * torch.tensor([3.0, 2.0, 3.0, 2.0])
        scores = torch.rand(4, generator=generator).sort(descending=True).values
        images.append((truths, Detections(near, scores, torch.tensor([0, 1, 1, 0]))))
    return images


@pytest.mark.parametrize(
    ("build", "prompt"),
    [(GroundingValidator, CAPTION), (lambda: DetectionValidator(CLASSES, CHUNKS), None)],
    ids=["grounding", "detection"],
)
def test_two_processes_judge_as_one_does(
    monkeypatch: pytest.MonkeyPatch, build: Callable[[], Any], prompt: Prompt | None
) -> None:
    images = grounding_images()

    def judge(validator: BoxValidator, share: Sequence[int]) -> None:
        for index in share:
            truths, found = images[index]
            ask(validator, Oracle(found), batch(truths, prompt=prompt, first=index))

    alone, first, second = build(), build(), build()
    judge(alone, range(6))
    expected = alone.metrics()
    judge(first, (0, 2, 4))
    judge(second, (1, 3, 5))
    # What each process has, caught as it hands it in; then both get everything.
    handed: list[Any] = []
    monkeypatch.setattr(box_validation, "gather_objects", lambda value: [handed.append(value), value][1:])
    for one in (first, second):
        one.metrics()
    monkeypatch.setattr(box_validation, "gather_objects", lambda value: handed)
    assert build().metrics() == pytest.approx(expected)
    assert 0 < min(value for value in expected.values() if value >= 0) < 1
