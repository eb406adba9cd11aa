"""From annotations to training samples, and what is passed over on the way."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from fiber.data.batch import SampleKey
from fiber.data.box_annotations import CaptionAnnotations, PromptAnnotations
from fiber.data.defects import Defect, DefectKind
from fiber.data.grounding_dataset import GroundingDataset
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig
from fiber.data.records import Box, GroundedCaption, LabeledBox, Span
from fiber.detection.prompt_sampling import AllClassesPrompter
from fiber.utils.errors import UserError

from .box_readers import BALL, BEACH, BEACH_SCENE, MEN, MemoryCaptions, MemoryObjects, grounded

NAN = float("nan")
EMPTY = grounded(" \n")


def transform(*, flip: float = 0.0, short_side: int = 80) -> GroundingTransform:
    return GroundingTransform(GroundingTransformConfig(short_sides=(short_side,), flip_probability=flip))


def captions(
    *scenes: GroundedCaption, flip: float = 0.0, broken: tuple[int, ...] = (), indices: Sequence[int] | None = None
) -> GroundingDataset:
    annotations = CaptionAnnotations(MemoryCaptions(*scenes, broken=broken))
    return GroundingDataset(annotations, transform=transform(flip=flip), seed=0, indices=indices)


def objects(*images: list[LabeledBox], flip: float = 0.0) -> GroundingDataset:
    reader = MemoryObjects(*images)
    prompts = AllClassesPrompter(reader.classes, count_tokens=len, shuffle=False)
    return GroundingDataset(PromptAnnotations(reader, prompts), transform=transform(flip=flip), seed=0)


def found(dataset: GroundingDataset, sample: int = 0) -> tuple[dict[DefectKind, int], set[str]]:
    """Defects of a sample by kind, and where they lie."""
    defects = dataset[SampleKey(sample, 0)].defects
    return Counter(defect.kind for defect in defects), {defect.location for defect in defects}


def test_a_captioned_scene_has_its_boxes_in_pixels_of_the_resized_image() -> None:
    annotations = CaptionAnnotations(MemoryCaptions(BEACH_SCENE))
    sample = GroundingDataset(annotations, transform=transform(short_side=160), seed=0)[SampleKey(0, 7)]
    assert sample.image.shape == (3, 160, 200)
    # The original's (0, 0, 19, 39), (30, 0, 49, 39) and (60, 60, 99, 79) name the last pixels; here twice as large.
    assert sample.boxes.tolist() == [[0, 0, 40, 80], [60, 0, 100, 80], [120, 120, 200, 160]]
    assert (sample.text, sample.spans) == (BEACH, (((0, 7),), ((0, 7),), ((13, 23),)))
    assert (sample.key, sample.location, sample.broken, sample.defects) == (SampleKey(0, 7), "0.png", (), ())


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ((100, 0, 150, 50), DefectKind.BOX_OUTSIDE),
        ((30, 30, 30, 60), DefectKind.BOX_EMPTY),
        ((30, NAN, 40, 60), DefectKind.BOX_NOT_FINITE),
        ((30, 10, 40, float("inf")), DefectKind.BOX_NOT_FINITE),
    ],
)
def test_a_box_at_fault_is_counted_once_and_the_others_keep_their_words(box: Box, kind: DefectKind) -> None:
    dataset = captions(grounded(BEACH, ([(0, 7)], [box, MEN]), ([(13, 23)], [BALL])))
    sample = dataset[SampleKey(0, 0)]
    assert sample.boxes.tolist() == [[0, 0, 20, 40], [60, 60, 100, 80]]
    assert sample.spans == (((0, 7),), ((13, 23),))
    assert sample.defects == (Defect(kind, "0.png"),)


@pytest.mark.parametrize("span", [(30, len(BEACH) + 1), (7, 0), (4, 4), (-3, 7)])
def test_a_span_outside_of_its_caption_is_counted_once_however_many_boxes_it_has(span: Span) -> None:
    """The phrase's other words still name its boxes."""
    dataset = captions(grounded(BEACH, ([(0, 7), span], [MEN, BALL, (30.0, 0.0, 50.0, 40.0)])))
    assert dataset[SampleKey(0, 0)].spans == (((0, 7),),) * 3
    assert found(dataset) == ({DefectKind.SPAN_OUTSIDE: 1}, {"0.png"})


def test_a_box_all_of_whose_words_lie_outside_is_left_out_and_counted() -> None:
    dataset = captions(grounded(BEACH, ([(50, 60)], [MEN]), ([(13, 23)], [BALL]), ([], [(5.0, 5.0, 9.0, 9.0)])))
    assert dataset[SampleKey(0, 0)].spans == (((13, 23),),)
    assert found(dataset) == ({DefectKind.SPAN_OUTSIDE: 1, DefectKind.BOX_UNNAMED: 2}, {"0.png"})


def test_a_span_up_to_the_end_of_the_caption_is_inside() -> None:
    dataset = captions(grounded(BEACH, ([(29, len(BEACH))], [MEN])))
    assert dataset[SampleKey(0, 0)].spans == (((29, len(BEACH)),),)
    assert found(dataset) == ({}, set())


def test_an_image_with_an_empty_caption_gives_way_to_another_and_is_named() -> None:
    dataset = captions(EMPTY, BEACH_SCENE)
    sample = dataset[SampleKey(0, 3)]
    assert (sample.text, sample.location, sample.key) == (BEACH, "1.png", SampleKey(0, 3))
    assert set(sample.defects) == {Defect(DefectKind.CAPTION_EMPTY, "0.png")}
    assert sample.broken == ()


def test_a_broken_image_gives_way_to_another_and_is_reported() -> None:
    dataset = captions(*[BEACH_SCENE] * 4, broken=(0,))
    samples = [dataset[SampleKey(0, draw)] for draw in range(20)]
    assert {sample.location for sample in samples} == {"1.png", "2.png", "3.png"}
    assert all(set(sample.broken) == {"0.png"} and sample.defects == () for sample in samples)


def test_replacements_depend_on_the_draw_alone() -> None:
    dataset = captions(*[BEACH_SCENE] * 9, broken=(0, 1, 2))
    once, again = ([dataset[SampleKey(0, draw)].location for draw in range(20)] for _ in range(2))
    assert once == again and len(set(once)) > 3


def test_replacements_come_from_the_samples_in_use() -> None:
    dataset = captions(BEACH_SCENE, EMPTY, *[BEACH_SCENE] * 9, indices=range(2))
    assert len(dataset) == 2
    assert {dataset[SampleKey(1, draw)].location for draw in range(20)} == {"0.png"}


def test_ten_broken_images_in_a_row_end_the_run() -> None:
    with pytest.raises(UserError, match=r"memory: 10 images in a row cannot be used: 0\.png \(broken\)$"):
        captions(BEACH_SCENE, broken=(0,))[SampleKey(0, 0)]


def test_ten_empty_captions_in_a_row_end_the_run_and_are_named() -> None:
    with pytest.raises(UserError, match=r"memory: 10 images in a row cannot be used: 0\.png \(empty caption\)$"):
        captions(EMPTY)[SampleKey(0, 0)]


def test_an_image_without_boxes_trains_on_its_text() -> None:
    for dataset, text in ((captions(grounded(BEACH)), BEACH), (objects([]), "left shoe. right shoe. dog")):
        sample = dataset[SampleKey(0, 0)]
        assert sample.boxes.shape == (0, 4) and sample.boxes.dtype == torch.float32
        assert (sample.text, sample.spans, sample.defects) == (text, (), ())


def test_a_flipped_caption_says_right_for_left_and_its_boxes_and_pixels_change_sides() -> None:
    text = "man left of a ball"
    scene = grounded(text, ([(0, 8)], [MEN]), ([(12, 18)], [BALL]))
    plain, flipped = (captions(scene, flip=flip)[SampleKey(0, 0)] for flip in (0.0, 1.0))
    assert (plain.text, plain.spans) == (text, (((0, 8),), ((12, 18),)))
    assert flipped.text == "man right of a ball"
    assert flipped.spans == (((0, 9),), ((13, 19),))
    assert plain.boxes.tolist() == [[0, 0, 20, 40], [60, 60, 100, 80]]
    assert flipped.boxes.tolist() == [[80, 0, 100, 40], [0, 60, 40, 80]]
    assert plain.image[:, :, 0].max() == 0 and flipped.image[:, :, 0].min() == 255


def test_class_names_stay_as_they_are_when_the_image_is_flipped() -> None:
    sample = objects([LabeledBox((10.0, 10.0, 30.0, 30.0), 0)], flip=1.0)[SampleKey(0, 0)]
    assert sample.text == "left shoe. right shoe. dog"
    assert sample.spans == (((0, 9),),)
    assert sample.boxes.tolist() == [[70, 10, 90, 30]]


def test_groups_are_wide_high_and_unknown_with_the_wide() -> None:
    stated = [(80, 100), (100, 80), (64, 64), (0, 0), (100, 80)]
    reader = MemoryCaptions(*[BEACH_SCENE] * 5, stated=stated)
    dataset = GroundingDataset(CaptionAnnotations(reader), transform=transform(), seed=0, indices=range(4))
    assert dataset.aspect_groups().tolist() == [0, 1, 1, 0]


def test_a_reader_without_images_is_refused() -> None:
    with pytest.raises(UserError, match="memory: the split holds no image"):
        captions()


def test_samples_are_the_same_whatever_was_read_before() -> None:
    dataset = captions(*[BEACH_SCENE] * 3, flip=0.5)
    alone = [captions(*[BEACH_SCENE] * 3, flip=0.5)[SampleKey(1, draw)].boxes for draw in range(8)]
    np.testing.assert_array_equal([dataset[SampleKey(1, draw)].boxes for draw in range(8)], alone)
    assert len({tuple(boxes.flatten().tolist()) for boxes in alone}) == 2  # flipped and not
