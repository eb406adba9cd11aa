"""Models as `torch.export` programs."""

from pathlib import Path

import pytest
import torch

from fiber.inference.programs import (
    BoxPredictor,
    ImageEncoder,
    TextEncoder,
    export_detector,
    export_image_encoder,
    export_text_encoder,
)
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.pretraining_model import FiberForPretraining
from fiber.utils.errors import UserError


@pytest.fixture
def pair_model(tiny_model: FiberForPretraining) -> FiberForPretraining:
    return tiny_model.float().eval()


@pytest.fixture
def detector(tiny_detector: GroundedDetector) -> GroundedDetector:
    return tiny_detector.float()


@torch.no_grad()
def test_encoders_read_any_number_of_pictures_and_texts(pair_model: FiberForPretraining, tmp_path: Path) -> None:
    torch.export.save(export_image_encoder(pair_model, image_size=64), tmp_path / "image.pt2")
    torch.export.save(export_text_encoder(pair_model, max_text_length=12), tmp_path / "text.pt2")
    see, read = (torch.export.load(tmp_path / f"{name}.pt2").module() for name in ("image", "text"))
    for number, length in ((1, 3), (5, 12)):
        image = torch.randint(0, 256, (number, 3, 64, 64), dtype=torch.uint8)
        token_ids = torch.randint(4, 49, (number, length))
        token_ids[0, length - 1 :] = pair_model.config.text.pad_id
        assert torch.allclose(see(image), ImageEncoder(pair_model)(image), atol=1e-6)
        assert torch.allclose(read(token_ids), TextEncoder(pair_model)(token_ids), atol=1e-6)


@torch.no_grad()
def test_a_detector_becomes_boxes_words_and_centerness(detector: GroundedDetector, tmp_path: Path) -> None:
    torch.export.save(export_detector(detector, height=64, width=96), tmp_path / "detector.pt2")
    program = torch.export.load(tmp_path / "detector.pt2").module()
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    token_ids = torch.randint(4, 49, (1, detector.config.text_budget))
    found, expected = program(image, token_ids), BoxPredictor(detector)(image, token_ids)  # no trace is left in it
    assert [part.shape for part in found] == [part.shape for part in expected]
    for part, other in zip(found, expected, strict=True):
        assert torch.allclose(part, other, atol=1e-3, rtol=1e-4)


def test_sizes_that_are_no_whole_tokens_are_refused(detector: GroundedDetector) -> None:
    with pytest.raises(UserError, match="image_height=100 image_width=64: give multiples of 32"):
        export_detector(detector, height=100, width=64)
