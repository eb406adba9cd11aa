"""A trained detector to ask."""

import logging

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
from fiber.inference.grounding import GroundingModel
from fiber.inference.results import GroundingResult
from fiber.tasks.fine.boxes.asking import PhraseAsker
from fiber.tasks.fine.boxes.options import BoxEvaluationConfig
from fiber.utils.errors import UserError

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


def test_a_text_is_answered_as_in_validation(model: GroundingModel) -> None:
    reader = ShapesPhrases("val", num_samples=1, image_size=150)
    transform = GroundingTransform(GroundingTransformConfig(short_sides=(SHORT_SIDE,), flip_probability=0))
    batch = collate_evaluation([GroundingEvaluation(reader, transform=transform)[SampleKey(0, 0)]])
    asker = PhraseAsker(model.tokenizer, BoxEvaluationConfig())
    expected = asker.ask(model.predictor.model, batch)[0].detections
    caption = reader.grounded_caption(0)
    marked = caption.text
    for phrase in reversed(caption.phrases):
        start, end = phrase.spans[0]
        marked = f"{marked[:start]}[{marked[start:end]}]{marked[end:]}"
    result = model.ground(reader.load_image(0), marked)
    kept = expected.scores >= 0.3
    assert kept.sum() > 3 and len(result.detections) == kept.sum()
    torch.testing.assert_close(boxes(result), expected.boxes[kept])
    assert [one.label for one in result.detections] == expected.labels[kept].tolist()
    assert result.prompt is not None and result.prompt.text == caption.text


def test_boxes_are_in_pixels_of_the_picture(model: GroundingModel) -> None:
    small = noise(96, 192)
    large = small.resize((480, 960), Image.Resampling.NEAREST)
    whole = GroundingModel(
        model.predictor.model, model.tokenizer, short_side=SHORT_SIDE, score_threshold=0.0, max_detections=50
    )
    for image, scale in ((small, 1.0), (large, 5.0)):
        result = whole.ground(image, TEXT)
        assert result.size == (192 * scale, 96 * scale)
        assert boxes(result).amax() <= 192 * scale
        assert boxes(result).amax() > 150 * scale


def test_one_text_serves_all_pictures_or_each_has_its_own(model: GroundingModel) -> None:
    images = [noise(120, 100), noise(64, 128, seed=1)]
    single = [model.ground(image, TEXT) for image in images]
    assert [rows(one) for one in model.ground(images, TEXT)] == [rows(one) for one in single]
    other = model.ground(images, [TEXT, "a star"])
    assert rows(other[0]) == rows(single[0]) and {one.name for one in other[1].detections} == {"a star"}
    assert [one.size for one in other] == [(100, 120), (128, 64)]
    with pytest.raises(UserError, match="1 texts for 2 pictures"):
        model.ground(images, [TEXT])


def test_thresholds_and_limits_hold_over_all_prompts(model: GroundingModel) -> None:
    settings = {"short_side": SHORT_SIDE, "max_detections": 7}
    limited = GroundingModel(model.predictor.model, model.tokenizer, score_threshold=0.5, **settings)  # type: ignore[arg-type]
    found = model.detect(noise(100, 100), MANY).detections
    few = limited.detect(noise(100, 100), MANY).detections
    assert len(found) > 7
    assert few == tuple(one for one in found if one.score >= 0.5)[:7]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_labels_of_a_class_list_are_places_in_it_whatever_the_prompt(
    model: GroundingModel, caplog: pytest.LogCaptureFixture
) -> None:
    names = [*MANY, "the last_class"]
    chunks = chunk_classes(names, count_tokens=model.tokenizer.count, token_budget=40)
    assert len(chunks) > 1
    with caplog.at_level(logging.WARNING):
        result = model.detect(noise(100, 100), names)
    assert f"13 classes are asked for in {len(chunks)} prompts of at most 40 tokens" in caplog.text
    assert all(one.name == names[one.label] for one in result.detections)
    last = chunks[-1].classes
    assert {one.label for one in result.detections} & set(last)
    alone = model.detect(noise(100, 100), names[last.start :])
    joint = [one for one in result.detections if one.label in last]
    wanted = [(one.label + last.start, one.box) for one in alone.detections][: len(joint)]
    assert [(one.label, pytest.approx(one.box, abs=1e-2)) for one in joint] == wanted


def test_a_class_list_is_read_once_for_many_pictures(model: GroundingModel, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    encode = model.predictor.encode_prompts
    monkeypatch.setattr(model.predictor, "encode_prompts", lambda prompts: (calls.append(1), encode(prompts))[1])
    images = [noise(64, 64, seed) for seed in range(3)]
    results = model.detect(images, ["circle", "square"])
    assert len(results) == 3 and len(calls) == 1
    classes = model.encode_classes(["circle", "square"])
    assert [rows(model.detect(image, classes)) for image in images] == [rows(one) for one in results]
    assert len(calls) == 2
    assert rows(results[0]) != rows(results[1])


def test_pictures_of_any_mode_are_taken(model: GroundingModel) -> None:
    grey = noise(64, 64).convert("L")
    assert rows(model.ground(grey, TEXT)) == rows(model.ground(grey.convert("RGB"), TEXT))


def test_questions_that_cannot_be_asked(model: GroundingModel) -> None:
    image = noise(64, 64)
    with pytest.raises(UserError, match="names nothing"):
        model.ground(image, " ")
    with pytest.raises(UserError, match=r"has 4\d tokens, of which the model reads 40"):
        model.ground(image, "a red circle. " * 10 + "the end")
    for nothing in ([], "person"):
        with pytest.raises(UserError, match="classes names nothing: give a list"):
            model.detect(image, nothing)
    for setting, message in ({"score_threshold": 1.0}, "score_threshold=1.0"), ({"max_detections": 0}, "max_detect"):
        with pytest.raises(UserError, match=message):
            GroundingModel(model.predictor.model, model.tokenizer, **setting)  # type: ignore[arg-type]
