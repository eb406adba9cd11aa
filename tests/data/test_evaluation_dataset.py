"""What is asked of a validation image and what is to be found."""

from collections.abc import Sequence

import pytest
import torch

from fiber.data.batch import SampleKey
from fiber.data.evaluation_dataset import DetectionEvaluation, GroundingEvaluation
from fiber.data.grounding_batch import Truth
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig
from fiber.data.records import LabeledBox
from fiber.utils.errors import UserError

from .box_readers import BALL, BEACH, BEACH_SCENE, MEN, OTHER_MAN, MemoryCaptions, MemoryObjects, grounded

TRANSFORM = GroundingTransform(GroundingTransformConfig(short_sides=(160,), flip_probability=0.0))


def test_phrases_are_labels_and_their_boxes_stay_in_pixels_of_the_original() -> None:
    sample = GroundingEvaluation(MemoryCaptions(BEACH_SCENE), transform=TRANSFORM)[SampleKey(0, 0)]
    assert sample.image.shape == (3, 160, 200) and sample.image.dtype == torch.uint8
    assert sample.original_size == (80, 100)
    assert sample.prompt == (BEACH, (((0, 7),), ((13, 23),)))
    assert sample.prompt is not None and sample.prompt.names == ("Two men", "a red ball")
    # Boxes are judged as annotated, the ball's beyond the image's border.
    assert sample.truths == (
        Truth(0, MEN, False, 800.0),
        Truth(0, OTHER_MAN, False, 800.0),
        Truth(1, BALL, False, 3600.0),
    )


def test_a_phrase_without_boxes_keeps_its_label() -> None:
    scene = grounded(BEACH, ([(29, 38)], []), ([(13, 23)], [BALL]))
    sample = GroundingEvaluation(MemoryCaptions(scene), transform=TRANSFORM)[SampleKey(0, 0)]
    assert sample.prompt is not None and len(sample.prompt.spans) == 2
    assert [truth.label for truth in sample.truths] == [1]


def test_classes_are_labels_crowds_are_marked_and_areas_are_the_annotated_ones() -> None:
    box = (10.0, 20.0, 30.0, 60.0)
    objects = [LabeledBox(box, 2), LabeledBox(box, 0, is_crowd=True, area=123.5)]
    sample = DetectionEvaluation(MemoryObjects(objects), transform=TRANSFORM)[SampleKey(0, 0)]
    assert sample.prompt is None
    assert sample.truths == (Truth(2, box, False, 800.0), Truth(0, box, True, 123.5))


def test_images_are_the_readers_first() -> None:
    reader = MemoryCaptions(*[grounded(text) for text in "abcd"])
    dataset = GroundingEvaluation(reader, transform=TRANSFORM, max_samples=3)
    samples = [dataset[SampleKey(index, 0)] for index in range(len(dataset))]
    assert [(one.image_index, one.prompt and one.prompt.text) for one in samples] == [(0, "a"), (1, "b"), (2, "c")]
    assert len(GroundingEvaluation(reader, transform=TRANSFORM, max_samples=9)) == 4


def test_a_broken_image_cannot_be_left_out() -> None:
    dataset = GroundingEvaluation(MemoryCaptions(BEACH_SCENE, broken=(0,)), transform=TRANSFORM)
    with pytest.raises(UserError, match=r"memory: cannot evaluate without 0\.png: cut short"):
        dataset[SampleKey(0, 0)]


@pytest.mark.parametrize("objects", [[], [LabeledBox(MEN, 0, is_crowd=True)]])
def test_objects_to_judge_by_are_needed(objects: list[LabeledBox]) -> None:
    reader = MemoryObjects(objects, [], [LabeledBox(MEN, 2)])
    assert len(DetectionEvaluation(reader, transform=TRANSFORM)) == 3
    with pytest.raises(UserError, match=r"memory has no boxes to judge by in its first 2 images: raise data\.max_val"):
        DetectionEvaluation(reader, transform=TRANSFORM, max_samples=2)
    with pytest.raises(UserError, match="memory has no boxes to judge by: give a split with annotations"):
        DetectionEvaluation(MemoryObjects(objects), transform=TRANSFORM)


def test_only_images_up_to_the_first_object_are_looked_at() -> None:
    class Counting(MemoryObjects):
        asked = 0

        def objects(self, index: int) -> Sequence[LabeledBox]:
            self.asked += 1
            return super().objects(index)

    reader = Counting([], [LabeledBox(MEN, 2)], *[[]] * 9)
    DetectionEvaluation(reader, transform=TRANSFORM)
    assert reader.asked == 2


def test_no_image_is_refused() -> None:
    with pytest.raises(UserError, match="memory: the split holds no image"):
        DetectionEvaluation(MemoryObjects(), transform=TRANSFORM)
