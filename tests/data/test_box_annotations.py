"""Captions and classes as the same kind of annotation."""

import numpy as np

from fiber.data.box_annotations import CaptionAnnotations, PromptAnnotations
from fiber.data.records import LabeledBox
from fiber.detection.prompt_sampling import NegativeSampling, PromptSampler, SampledPrompt
from fiber.detection.prompts import class_prompt

from .box_readers import BALL, BEACH, BEACH_SCENE, MEN, OTHER_MAN, MemoryCaptions, MemoryObjects, grounded


class FixedPrompt:
    """Always asks for the same classes, and notes which were shown."""

    def __init__(self, *classes: int) -> None:
        self.classes = classes
        self.shown: list[int] = []

    def sample(self, positive_classes: object, rng: np.random.Generator) -> SampledPrompt:
        self.shown = list(positive_classes)  # type: ignore[call-overload]
        return SampledPrompt(class_prompt([MemoryObjects.classes[one] for one in self.classes]), self.classes)


RNG = np.random.default_rng(0)
SHOE, DOG = (10.0, 10.0, 30.0, 30.0), (40.0, 40.0, 90.0, 70.0)


def test_every_box_of_a_caption_has_the_words_of_its_phrase() -> None:
    annotation = CaptionAnnotations(MemoryCaptions(BEACH_SCENE)).annotation(0, RNG)
    assert annotation == (BEACH, (MEN, OTHER_MAN, BALL), (((0, 7),), ((0, 7),), ((13, 23),)))


def test_a_box_that_two_phrases_name_is_one_box_with_the_words_of_both() -> None:
    caption = grounded(BEACH, ([(0, 7)], [MEN, MEN]), ([(13, 23), (0, 7)], [BALL, MEN]))
    annotation = CaptionAnnotations(MemoryCaptions(caption)).annotation(0, RNG)
    assert annotation.boxes == (MEN, BALL)
    assert annotation.spans == (((0, 7), (13, 23)), ((13, 23), (0, 7)))


def test_objects_have_the_words_of_their_class_in_the_prompt() -> None:
    reader = MemoryObjects([LabeledBox(DOG, 2), LabeledBox(SHOE, 1)])
    annotation = PromptAnnotations(reader, FixedPrompt(1, 0, 2)).annotation(0, RNG)
    assert annotation == ("right shoe. left shoe. dog", (DOG, SHOE), (((23, 26),), ((0, 10),)))


def test_crowds_are_left_out_of_boxes_and_prompt() -> None:
    reader, prompts = MemoryObjects([LabeledBox(DOG, 2), LabeledBox(SHOE, 0, is_crowd=True)]), FixedPrompt(2, 1)
    annotation = PromptAnnotations(reader, prompts).annotation(0, RNG)
    assert prompts.shown == [2]
    assert annotation.boxes == (DOG,)


def test_boxes_of_classes_that_the_prompt_has_no_room_for_are_left_out() -> None:
    reader = MemoryObjects([LabeledBox(SHOE, 0), LabeledBox(DOG, 2)])
    annotation = PromptAnnotations(reader, FixedPrompt(2)).annotation(0, RNG)
    assert (annotation.boxes, annotation.spans) == ((DOG,), (((0, 3),),))


def test_an_image_without_objects_is_asked_about_absent_classes() -> None:
    sampling = NegativeSampling(one_negative=0.0, no_negatives=0.0, all_negatives=1.0)
    prompts = PromptSampler(MemoryObjects.classes, sampling, count_tokens=lambda text: len(text.split()))
    annotation = PromptAnnotations(MemoryObjects([]), prompts).annotation(0, np.random.default_rng(0))
    assert sorted(annotation.text.split(". ")) == ["dog", "left shoe", "right shoe"]
    assert (annotation.boxes, annotation.spans) == ((), ())
