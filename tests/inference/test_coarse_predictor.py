"""What predictors of the coarse stage share."""

import pytest

from fiber.checkpoints.model_description import ModelKind
from fiber.inference.coarse_predictor import CoarsePredictor
from fiber.models.config import FusionConfig
from fiber.utils.errors import UserError

from .coarse_models import coarse_model, pictures


def test_encoded_pictures_are_not_encoded_again(tiny_config: FusionConfig) -> None:
    model, inputs = coarse_model(ModelKind.RETRIEVAL, tiny_config)
    predictor = CoarsePredictor(model.backbone, inputs, batch_size=2)
    encoded = predictor.encode_images(pictures("RGB", "L", "RGBA"))
    assert predictor.encode_images(encoded) is encoded
    assert len(encoded) == len(encoded.trunk) == 3
    assert [image.mode for image in encoded.images] == ["RGB"] * 3


def test_pictures_that_another_model_encoded_are_refused(tiny_config: FusionConfig) -> None:
    captions, retrieval = (
        CoarsePredictor(model.backbone, inputs)
        for model, inputs in (coarse_model(kind, tiny_config) for kind in (ModelKind.CAPTIONING, ModelKind.RETRIEVAL))
    )
    with pytest.raises(UserError, match="left were encoded by another model: encode them with encode_images"):
        retrieval.encode_images(captions.encode_images(pictures("RGB")), name="left")


def test_a_batch_holds_something(tiny_config: FusionConfig) -> None:
    model, inputs = coarse_model(ModelKind.RETRIEVAL, tiny_config)
    with pytest.raises(UserError, match="batch_size=0: give 1 or more"):
        CoarsePredictor(model.backbone, inputs, batch_size=0)
