"""A trained detector to ask."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fiber.data.batch import SampleKey
from fiber.data.evaluation_dataset import GroundingEvaluation
from fiber.data.grounding_collate import collate_evaluation
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig
from fiber.data.shapes.phrases import ShapesPhrases
from fiber.detection.prompt_chunks import chunk_classes
from fiber.inference.grounding import Grounder
from fiber.inference.results import GroundingResult
from fiber.tasks.fine.boxes.asking import PhraseAsker
from fiber.tasks.fine.boxes.options import BoxEvaluationConfig
from fiber.utils.errors import UserError

from .conftest import load_grounder
from .fine_run import SHORT_SIDE

TEXT = "[a red circle] above [two blue squares]"
MANY = [f"{color} {shape}" for color in ("red", "blue", "green", "yellow") for shape in ("circle", "square", "star")]


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def boxes(result: GroundingResult) -> torch.Tensor:
    return torch.tensor([one.box for one in result.detections])


def rows(result: GroundingResult) -> list[tuple[int, str, float]]:
    return [(one.label, one.name, one.score) for one in result.detections]


def assert_same(results: Sequence[GroundingResult], expected: Sequence[GroundingResult]) -> None:
    assert len(results) == len(expected)
    for one, other in zip(results, expected, strict=True):
        assert (one.size, one.text, one.names) == (other.size, other.text, other.names)
        assert len(one.detections) == len(other.detections) > 3
        assert [found.label for found in one.detections] == [found.label for found in other.detections]
        scores = torch.tensor([[found.score for found in result.detections] for result in (one, other)])
        torch.testing.assert_close(scores[0], scores[1])
        torch.testing.assert_close(boxes(one), boxes(other), rtol=1e-3, atol=1e-2)


@pytest.fixture
def trunk_passes(grounder: Grounder, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of the pixels that the image trunk is shown."""
    shapes: list[tuple[int, ...]] = []
    encode = grounder.predictor.model.encode_image
    monkeypatch.setattr(
        grounder.predictor.model, "encode_image", lambda pixels: (shapes.append(tuple(pixels.shape)), encode(pixels))[1]
    )
    return shapes


def test_a_text_is_answered_as_in_validation(grounder: Grounder) -> None:
    reader = ShapesPhrases("val", num_samples=1, image_size=150)
    transform = GroundingTransform(GroundingTransformConfig(short_sides=(SHORT_SIDE,), flip_probability=0))
    batch = collate_evaluation([GroundingEvaluation(reader, transform=transform)[SampleKey(0, 0)]])
    asker = PhraseAsker(grounder.tokenizer, BoxEvaluationConfig())
    expected = asker.ask(grounder.predictor.model, batch)[0].detections
    caption = reader.grounded_caption(0)
    marked = caption.text
    for phrase in reversed(caption.phrases):
        start, end = phrase.spans[0]
        marked = f"{marked[:start]}[{marked[start:end]}]{marked[end:]}"
    result = grounder.ground(reader.load_image(0), marked)
    kept = expected.scores >= 0.3
    assert kept.sum() > 3 and len(result.detections) == kept.sum()
    torch.testing.assert_close(boxes(result), expected.boxes[kept])
    assert [one.label for one in result.detections] == expected.labels[kept].tolist()
    assert result.prompt is not None and result.prompt.text == caption.text


def test_boxes_are_in_pixels_of_the_picture(grounder: Grounder) -> None:
    small = noise(96, 192)
    large = small.resize((480, 960), Image.Resampling.NEAREST)
    whole = Grounder(
        grounder.predictor.model,
        grounder.tokenizer,
        short_side=SHORT_SIDE,
        max_side=1333,
        score_threshold=0.0,
        max_detections=50,
    )
    for image, scale in ((small, 1.0), (large, 5.0)):
        result = whole.ground(image, TEXT)
        assert result.size == (192 * scale, 96 * scale)
        assert boxes(result).amax() <= 192 * scale
        assert boxes(result).amax() > 150 * scale


def test_pictures_of_one_input_size_go_together_and_find_what_each_finds_alone(
    grounder: Grounder, trunk_passes: list[tuple[int, ...]]
) -> None:
    images = [noise(120, 100), noise(64, 128, 1), noise(110, 100, 2), noise(64, 64, 4)]
    texts = [TEXT, "a star", "a red circle is above a blue square", "a green triangle. a star"]
    single = [grounder.ground(image, text) for image, text in zip(images, texts, strict=True)]
    trunk_passes.clear()
    assert_same(grounder.ground(images, texts), single)
    assert sorted(trunk_passes) == [(1, 3, 64, 64), (1, 3, 128, 64), (2, 3, 64, 96)]
    assert_same(grounder.ground(images, TEXT)[:1], single[:1])
    small = Grounder(grounder.predictor.model, grounder.tokenizer, short_side=SHORT_SIDE, max_side=1333, batch_size=1)
    assert_same(small.ground(images, texts), single)
    assert_same(grounder.detect(images[::2], MANY), [grounder.detect(image, MANY) for image in images[::2]])


def test_a_picture_is_encoded_once_for_any_number_of_texts(
    grounder: Grounder, trunk_passes: list[tuple[int, ...]]
) -> None:
    image, texts = noise(120, 100), [TEXT, "a star", TEXT]
    single = [grounder.ground(image, text) for text in texts]
    trunk_passes.clear()
    assert_same(grounder.ground(image, texts), single)
    assert_same(grounder.ground([image], texts), single)
    assert trunk_passes == [(1, 3, 64, 96)] * 2 or trunk_passes == [(1, 3, 64, 64)] * 2


def test_encoded_pictures_serve_any_question_without_another_look(
    grounder: Grounder, trunk_passes: list[tuple[int, ...]]
) -> None:
    images = [noise(120, 100), noise(64, 128, 1), noise(110, 100, 2)]
    phrases, classes = grounder.ground(images, TEXT), grounder.detect(images, MANY)
    trunk_passes.clear()
    encoded = grounder.encode_images(images)
    assert len(encoded) == 3 and grounder.encode_images(encoded) is encoded
    assert len(trunk_passes) == 2
    assert_same(grounder.ground(encoded, TEXT), phrases)
    assert_same(grounder.detect(encoded, MANY), classes)
    assert_same(grounder.ground(encoded, [TEXT, "a star", TEXT])[::2], phrases[::2])
    assert len(trunk_passes) == 2
    assert len(grounder.ground(grounder.encode_images(images[0]), TEXT)) == 1  # a list, though of one


def test_phrases_are_given_marked_listed_or_found(grounder: Grounder) -> None:
    image, sentence = noise(64, 64), "a red circle is above a star"
    assert grounder.ground(image, sentence).names == ("a red circle", "a star")
    assert grounder.ground(image, sentence, ["star", (2, 5)]).names == ("star", "red")
    several = grounder.ground(image, [sentence, "a star"], [[[(0, 5), (22, 28)]], None])
    assert [one.names for one in several] == [("a red a star",), ("a star",)]
    assert {one.name for one in several[0].detections} == {"a red a star"}
    assert grounder.phrased_text("a dog. [a cat]", ["a dog"]).prompt.spans == (((0, 5),),)


def test_thresholds_and_limits_hold_over_all_prompts(grounder: Grounder) -> None:
    settings = {"short_side": SHORT_SIDE, "max_side": 1333, "max_detections": 7}
    limited = Grounder(grounder.predictor.model, grounder.tokenizer, score_threshold=0.5, **settings)  # type: ignore[arg-type]
    found = grounder.detect(noise(100, 100), MANY).detections
    few = limited.detect(noise(100, 100), MANY).detections
    assert len(found) > 7
    assert few == tuple(one for one in found if one.score >= 0.5)[:7]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_labels_of_a_class_list_are_places_in_it_whatever_the_prompt(
    grounder: Grounder, caplog: pytest.LogCaptureFixture
) -> None:
    names = [*MANY, "the last_class"]
    chunks = chunk_classes(names, count_tokens=grounder.tokenizer.count, token_budget=40)
    assert len(chunks) > 1
    with caplog.at_level(logging.WARNING):
        result = grounder.detect(noise(100, 100), names)
    assert f"13 classes are asked for in {len(chunks)} prompts of at most 40 tokens" in caplog.text
    assert all(one.name == names[one.label] for one in result.detections)
    last = chunks[-1].classes
    assert {one.label for one in result.detections} & set(last)
    alone = grounder.detect(noise(100, 100), names[last.start :])
    joint = [one for one in result.detections if one.label in last]
    wanted = [(one.label + last.start, one.box) for one in alone.detections][: len(joint)]
    assert [(one.label, pytest.approx(one.box, abs=1e-2)) for one in joint] == wanted


def test_a_class_list_is_read_once_for_many_pictures(grounder: Grounder, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    encode = grounder.predictor.encode_prompts
    monkeypatch.setattr(grounder.predictor, "encode_prompts", lambda prompts: (calls.append(1), encode(prompts))[1])
    images = [noise(64, 64, seed) for seed in range(3)]
    results = grounder.detect(images, ["circle", "square"])
    assert len(results) == 3 and len(calls) == 1
    classes = grounder.encode_classes(["circle", "square"])
    assert_same([grounder.detect(image, classes) for image in images], results)
    assert len(calls) == 2
    assert rows(results[0]) != rows(results[1])


def test_pictures_of_any_mode_are_taken(grounder: Grounder) -> None:
    grey = noise(64, 64).convert("L")
    assert rows(grounder.ground(grey, TEXT)) == rows(grounder.ground(grey.convert("RGB"), TEXT))


def test_questions_that_cannot_be_asked(grounder: Grounder) -> None:
    image = noise(64, 64)
    with pytest.raises(UserError, match="names nothing"):
        grounder.ground(image, " ")
    with pytest.raises(UserError, match=r"has 4\d tokens, of which the model reads 40"):
        grounder.ground(image, "a red circle. " * 10 + "the end")
    for nothing in ([], "person"):
        with pytest.raises(UserError, match="classes names nothing: give a list"):
            grounder.detect(image, nothing)
    with pytest.raises(UserError, match="3 images, 2 texts: give one for all, or as many"):
        grounder.ground([image] * 3, [TEXT, TEXT])
    with pytest.raises(UserError, match="phrases of 1 texts for 2 texts"):
        grounder.ground(image, ["a star", "a dog"], [["star"]])
    with pytest.raises(UserError, match="images is empty"):
        grounder.detect([], ["star"])
    model, tokenizer = grounder.predictor.model, grounder.tokenizer
    settings = ({"score_threshold": 1.0}, "score_threshold=1.0"), ({"max_detections": 0}, "max_detect")
    for setting, message in (*settings, ({"batch_size": 0}, "batch_size=0: give 1 or more")):
        with pytest.raises(UserError, match=message):
            Grounder(model, tokenizer, short_side=64, max_side=64, **setting)  # type: ignore[arg-type]


def test_what_another_model_encoded_is_refused(grounder: Grounder, fine_run: Path) -> None:
    other = load_grounder(fine_run)
    images, classes = other.encode_images([noise(60, 40)]), other.encode_classes(["cat"])
    with pytest.raises(UserError, match=r"images were encoded by another model: .* encode_images"):
        grounder.ground(images, TEXT)
    with pytest.raises(UserError, match=r"classes were encoded by another model: .* encode_classes"):
        grounder.detect(noise(60, 40), classes)


def test_classes_that_come_again_are_asked_for_once(grounder: Grounder, caplog: pytest.LogCaptureFixture) -> None:
    assert grounder.encode_classes(["circle", "dog", "circle"]).names == ("circle", "dog")
    assert "classes names 'circle' again" in caplog.text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([3], r"classes\[0\] is of type int"),
        ([None], r"classes\[0\] is of type NoneType"),
        ((name for name in ["dog"]), "classes is of type generator: give a text, or a list"),
        (["dog", "\ud800"], r"classes\[1\] .* is no Unicode"),
    ],
)
def test_what_is_no_class_is_named(grounder: Grounder, names: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        grounder.encode_classes(names)


@pytest.mark.parametrize("phrases", [[3], 3, [None]])
def test_what_is_no_phrase_is_named(grounder: Grounder, phrases: Any) -> None:
    for texts, given in (("a dog", phrases), (["a dog"], [phrases] if isinstance(phrases, list) else phrases)):
        with pytest.raises(UserError, match=r"phrases=.*: give a list of phrases"):
            grounder.ground(noise(60, 40), texts, given)


def test_a_text_that_is_no_unicode_is_named(grounder: Grounder) -> None:
    with pytest.raises(UserError, match=r"text 'a dog.*' is no Unicode at character 5"):
        grounder.ground(noise(60, 40), "a dog\ud800")
