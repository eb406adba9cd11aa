"""From stored pixels to the network's input. Axes: B images, H W pixels."""

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
"""Of the ImageNet images' red, green and blue, in [0, 1]."""
STD = (0.229, 0.224, 0.225)


def normalize_pixels(image: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Scale to [0, 1] and standardise by ImageNet's mean and deviation, on the image's device.

    Args:
        image: uint8 B 3 H W, RGB.
        dtype: of the result.
    """
    mean = torch.tensor(MEAN, dtype=dtype, device=image.device).view(3, 1, 1)
    std = torch.tensor(STD, dtype=dtype, device=image.device).view(3, 1, 1)
    return (image.to(dtype) / 255 - mean) / std


def zero_padding(pixels: Tensor, sizes: Tensor) -> Tensor:
    """Set what lies outside of each image to 0, the mean colour once normalised.

    Args:
        pixels: B 3 H W.
        sizes: int64 B 2, height and width of each image.
    """
    rows = torch.arange(pixels.shape[2], device=pixels.device) < sizes[:, :1]  # B H
    columns = torch.arange(pixels.shape[3], device=pixels.device) < sizes[:, 1:]  # B W
    return pixels * (rows[:, :, None] & columns[:, None])[:, None]
