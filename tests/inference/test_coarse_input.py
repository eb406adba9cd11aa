"""What coarse models see and read."""

import pytest
import torch
from PIL import Image

from fiber.checkpoints.model_description import ModelKind
from fiber.inference.coarse_input import CoarseInput
from fiber.models.config import FusionConfig

from .coarse_models import IMAGE_SIZE, TEXT_LENGTH, coarse_model, pictures


@pytest.fixture
def inputs(tiny_config: FusionConfig) -> CoarseInput:
    return coarse_model(ModelKind.RETRIEVAL, tiny_config)[1]


def test_pictures_of_any_mode_and_size_become_normalised_squares(inputs: CoarseInput) -> None:
    pixels = inputs.pixels(pictures("L", "RGBA", "P", "CMYK"))
    assert pixels.shape == (4, 3, IMAGE_SIZE, IMAGE_SIZE) and pixels.dtype == torch.float32
    red = inputs.pixels([Image.new("RGB", (30, 70), (255, 0, 51))])
    expected = torch.tensor([(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225])
    torch.testing.assert_close(red[0], expected.view(3, 1, 1).expand(3, IMAGE_SIZE, IMAGE_SIZE))


def test_a_text_is_padded_or_cut_to_the_models_length_and_the_log_says_what_is_cut(
    inputs: CoarseInput, caplog: pytest.LogCaptureFixture
) -> None:
    short, long = "a red circle", " ".join(["a red circle"] * 5)
    text = inputs.texts([short, long])
    assert text.mask.sum(dim=1).tolist() == [5, TEXT_LENGTH]
    assert text.ids[1, 4].item() == text.ids[0, 1].item() and text.ids[1, -1].item() == inputs.tokenizer.eos_id
    [message] = [record.getMessage() for record in caplog.records]
    assert message == f"text {long!r} has 15 tokens, of which the model reads 14: its end is cut"
    inputs.texts([short, f"{long} " * 50, long])
    message = caplog.records[-1].getMessage()
    assert len(caplog.records) == 2 and len(message) < 190
    assert "circle a ...' has 751 tokens" in message and message.endswith("is cut, and those of 1 more")
