"""Stored pixels as the network sees them."""

import torch

from fiber.data.normalization import normalize_pixels, zero_padding


def test_colours_are_standardised_as_imagenet_was() -> None:
    image = torch.tensor([255, 128, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    # The original's values of (1.0, 0.5, 0.0), listed from blue to red, are -1.8044, 0.1964, 2.2489.
    expected = torch.tensor([2.2489, 0.1964 + 0.5 / 255 / 0.224, -1.8044])
    torch.testing.assert_close(normalize_pixels(image).flatten(), expected, atol=1e-4, rtol=0)
    assert normalize_pixels(image, torch.bfloat16).dtype == torch.bfloat16


def test_only_what_lies_outside_of_each_image_becomes_zero() -> None:
    pixels = torch.ones(2, 3, 4, 5)
    kept = zero_padding(pixels, torch.tensor([[4, 2], [1, 5]]))
    assert kept[0, 0].tolist() == [[1, 1, 0, 0, 0]] * 4
    assert kept[1, 2].tolist() == [[1] * 5, *[[0] * 5] * 3]
