"""RandAugment as FIBER's fine-tuning uses it: two of ten operations, each with probability one half, at level 7 of 10.

Two operations do what their names say where the original's implementation was defective: AutoContrast stretches each
channel to 0..255 (there, any channel without black turned white), and Sharpness clips (there, it wrapped around).
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps

NUM_OPERATIONS = 2
PROBABILITY = 0.5
LEVEL = 0.7
"""Level 7 of 10."""
ENHANCEMENT = 1.8 * LEVEL + 0.1
"""Factor of brightness and sharpness."""
SHEAR = 0.3 * LEVEL
TRANSLATION = 10.0 * LEVEL
"""Pixels, whatever the image's size."""
ROTATION = 30.0 * LEVEL
"""Degrees."""
FILL = (128, 128, 128)

SMOOTHING = ImageFilter.Kernel((3, 3), (1, 1, 1, 1, 5, 1, 1, 1, 1), scale=13)

Operation = Callable[[Image.Image, np.random.Generator], Image.Image]


def rand_augment(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Apply two operations, drawn with replacement, each with probability one half; RGB to RGB."""
    for operation in rng.choice(len(OPERATIONS), NUM_OPERATIONS):
        if rng.random() <= PROBABILITY:
            image = OPERATIONS[operation](image, rng)
    return image


def random_sign(rng: np.random.Generator) -> float:
    return -1.0 if rng.random() > 0.5 else 1.0


def affine(image: Image.Image, coefficients: tuple[float, ...]) -> Image.Image:
    """Output pixel (x, y) reads input (a x + b y + c, d x + e y + f), bilinear, grey outside."""
    return image.transform(
        image.size, Image.Transform.AFFINE, coefficients, resample=Image.Resampling.BILINEAR, fillcolor=FILL
    )


def identity(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image


def auto_contrast(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Stretch each channel to the full range."""
    return ImageOps.autocontrast(image)


def equalize(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Equalise each channel's histogram."""
    return ImageOps.equalize(image)


def brightness(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Multiply every value, clipped."""
    table = [min(255, int(value * ENHANCEMENT)) for value in range(256)]
    return image.point(table * 3)


def sharpness(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Move away from the smoothed image, clipped; the outermost pixels stay."""
    original = np.asarray(image, dtype=np.float32)
    smooth = np.asarray(image.filter(SMOOTHING), dtype=np.float32)  # PIL leaves the border as it is
    sharpened = smooth + ENHANCEMENT * (original - smooth)
    return Image.fromarray(sharpened.clip(0, 255).astype(np.uint8))


def shear_x(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return affine(image, (1, random_sign(rng) * SHEAR, 0, 0, 1, 0))


def shear_y(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return affine(image, (1, 0, 0, random_sign(rng) * SHEAR, 1, 0))


def translate_x(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return affine(image, (1, 0, random_sign(rng) * TRANSLATION, 0, 1, 0))


def translate_y(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return affine(image, (1, 0, 0, 0, 1, random_sign(rng) * TRANSLATION))


def rotate(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Turn about the centre, either way."""
    return image.rotate(random_sign(rng) * ROTATION, resample=Image.Resampling.BILINEAR, fillcolor=FILL)


OPERATIONS: tuple[Operation, ...] = (
    identity,
    auto_contrast,
    equalize,
    brightness,
    sharpness,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
    rotate,
)
