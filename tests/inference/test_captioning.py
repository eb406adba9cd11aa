"""Captions of pictures."""

from dataclasses import replace
from typing import Any

import pytest

from fiber.checkpoints.model_description import ModelKind
from fiber.data.batch import SampleKey
from fiber.data.caption_collate import CaptionCollator
from fiber.data.caption_dataset import CaptionDataset
from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.transforms import ResizeTransform
from fiber.generation.caption_generator import CaptionGenerator, GenerationConfig, Search
from fiber.inference.captioning import Captioner, CaptionResult
from fiber.models.config import FusionConfig
from fiber.tasks.coarse.caption.evaluator import CaptionEvaluator
from fiber.utils.errors import UserError

from .coarse_models import IMAGE_SIZE, TEXT_LENGTH, coarse_model, count_rows, pictures, shapes_tokenizer

GENERATION = GenerationConfig(search=Search.BEAM, num_beams=3, max_length=8)


@pytest.fixture
def captioner(tiny_config: FusionConfig) -> Captioner:
    return Captioner(*coarse_model(ModelKind.CAPTIONING, tiny_config), GENERATION, batch_size=2)


def written(results: list[CaptionResult]) -> list[str]:
    return [result.caption for result in results]


@pytest.mark.parametrize("search", [Search.BEAM, Search.GREEDY])
def test_captions_are_those_of_the_evaluation(captioner: Captioner, search: Search) -> None:
    reader = ShapesCaptions("val", num_samples=3, image_size=96)
    samples = CaptionDataset(reader, transform=ResizeTransform(IMAGE_SIZE), seed=0, training=False)
    batch = CaptionCollator(shapes_tokenizer(), max_text_length=TEXT_LENGTH)(
        [samples[SampleKey(index, 0)] for index in range(3)]
    )
    write = CaptionGenerator(replace(GENERATION, search=search), captioner.vocabulary)
    judged = CaptionEvaluator(reader, write=write, tokenizer=shapes_tokenizer()).judge(captioner.model, batch)
    captions = written(captioner.caption([reader.load_image(index) for index in range(3)], search=search))
    assert captions == list(judged.values()) and len(set(captions)) > 1


@pytest.mark.parametrize("search", list(Search))
def test_a_batch_gives_what_one_by_one_gives(captioner: Captioner, search: Search) -> None:
    images = pictures("RGB", "L", "RGBA")
    alone = [captioner.caption(image, search=search).caption for image in images]
    encoded = captioner.encode_images(images)
    passes = count_rows(captioner.model.backbone.image.patch_embedding)
    assert written(captioner.caption(encoded, search=search)) == alone
    assert passes == [] and len(set(alone)) > 1


def test_a_call_may_say_how_captions_are_written(captioner: Captioner) -> None:
    image = pictures("RGB")[0]
    drawn = {captioner.caption(image, search="sample", seed=seed).caption for seed in range(4)}
    assert len(drawn) > 1
    assert captioner.caption(image, search="greedy", max_length=3) != captioner.caption(image, search="greedy")
    assert captioner.caption(image, num_beams=1) == captioner.caption(image, num_beams=1, length_penalty=1)
    assert captioner.generation == GENERATION


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"beams": 3}, "beams is no option of captions: give search, num_beams, .* or seed"),
        ({"search": "random"}, "caption.search=random is not one of beam, greedy, sample"),
        ({"num_beams": "3"}, "caption.num_beams='3': give int"),
        ({"num_beams": 0}, "num_beams=0: give a whole number of at least 1"),
        ({"seed": -1}, "seed=-1: give 0 or more, a whole number"),
        ({"max_length": 33}, "max_length=33: the model writes at most 32 tokens"),
    ],
)
def test_what_cannot_be_overridden_is_named(captioner: Captioner, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        captioner.caption(pictures("RGB")[0], **overrides)


def test_the_longest_caption_fits_the_models_positions(captioner: Captioner) -> None:
    assert captioner.caption(pictures("RGB")[0], search="sample", max_length=32).caption


def test_a_result_for_people_and_programs() -> None:
    result = CaptionResult(pictures("RGB")[0], "a cat")
    assert str(result) == "a cat" and result.to_json() == {"height": 40, "width": 100, "caption": "a cat"}
    assert result.draw().width == 480
