"""What predictors of the coarse stage share."""

import pytest

from fiber.checkpoints.model_description import ModelKind
from fiber.inference.coarse_predictor import CoarsePredictor, aligned
from fiber.models.config import FusionConfig
from fiber.utils.errors import UserError

from .coarse_models import coarse_model, pictures


def test_one_thing_goes_with_all_and_many_go_with_as_many() -> None:
    assert aligned(images=1, questions=3) == [(0, 0), (0, 1), (0, 2)]
    assert aligned(images=2, questions=2) == [(0, 0), (1, 1)]
    assert aligned(left=2, right=1, statements=2) == [(0, 0, 0), (1, 0, 1)]
    with pytest.raises(UserError, match="3 images, 2 questions: give one for all, or as many of each"):
        aligned(images=3, questions=2)


def test_encoded_pictures_are_not_encoded_again(tiny_config: FusionConfig) -> None:
    model, inputs = coarse_model(ModelKind.RETRIEVAL, tiny_config)
    predictor = CoarsePredictor(model.backbone, inputs, batch_size=2)
    encoded = predictor.encode_images(pictures("RGB", "L", "RGBA"))
    assert predictor.encode_images(encoded) is encoded
    assert len(encoded) == len(encoded.trunk) == 3
    assert [image.mode for image in encoded.images] == ["RGB"] * 3


def test_a_batch_holds_something(tiny_config: FusionConfig) -> None:
    model, inputs = coarse_model(ModelKind.RETRIEVAL, tiny_config)
    with pytest.raises(UserError, match="batch_size=0: give 1 or more"):
        CoarsePredictor(model.backbone, inputs, batch_size=0)
