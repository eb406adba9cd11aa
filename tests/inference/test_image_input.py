"""From a picture to a detector's input."""

import numpy as np
import pytest
import torch
from PIL import Image

from fiber.inference.image_input import ImageInput
from fiber.utils.errors import UserError


def test_pixels_are_resized_normalised_and_padded_with_zeros() -> None:
    seen = ImageInput(short_side=40, max_side=1333)(Image.new("RGB", (160, 80), (255, 0, 51)))
    assert seen.size == (40, 80)
    assert seen.pixels.shape == (1, 3, 64, 96) and seen.pixels.dtype == torch.float32
    color = torch.tensor([(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225])
    torch.testing.assert_close(seen.pixels[0, :, :40, :80], color[:, None, None].expand(3, 40, 80))
    assert seen.pixels[0, :, 40:].abs().max() == 0 and seen.pixels[0, :, :, 80:].abs().max() == 0


def test_the_longer_side_is_limited_and_nothing_is_random() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 200, 3), dtype=np.uint8)
    prepare = ImageInput(short_side=100, max_side=120)
    first, second = (prepare(Image.fromarray(noise)) for _ in range(2))
    assert first.size == (30, 120)
    assert torch.equal(first.pixels, second.pixels)
    assert first.pixels[0, 0, :30, :10].mean() != first.pixels[0, 0, :30, 110:120].mean()


@pytest.mark.parametrize("size", [(160, 80), (81, 97), (500, 20), (64, 64)])
def test_the_padded_size_is_known_before_a_picture_is_prepared(size: tuple[int, int]) -> None:
    prepare, image = ImageInput(short_side=40, max_side=120), Image.new("RGB", size)
    assert prepare.padded_size(image) == tuple(prepare(image).pixels.shape[2:])


def test_a_side_of_nothing_is_an_error() -> None:
    with pytest.raises(UserError, match=r"short_sides=\[0\]"):
        ImageInput(short_side=0, max_side=100)
