"""Pixels in, squares out."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from fiber.data import rand_augment
from fiber.data.normalization import normalize_pixels
from fiber.data.transforms import RandAugmentTransform, ResizeTransform
from fiber.utils.errors import UserError


def picture(seed: int = 0, size: tuple[int, int] = (60, 40)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(40, 200, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_resize_is_bicubic_and_ignores_the_aspect() -> None:
    pixels = ResizeTransform(32)(picture(), rng())
    expected = np.asarray(picture().resize((32, 32), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert pixels.dtype == torch.uint8
    assert np.array_equal(pixels.numpy(), expected)


@pytest.mark.parametrize("size", [0, -32, 100, 31])
def test_sides_that_are_no_multiple_of_32_are_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"image_size={size} is no multiple of 32"):
        ResizeTransform(size)


def test_augmentation_depends_on_its_generator_alone() -> None:
    transform = RandAugmentTransform(64)
    draws = [transform(picture(), rng(seed)) for seed in range(30)]
    assert all(torch.equal(draw, transform(picture(), rng(seed))) for seed, draw in enumerate(draws))
    assert len({draw.numpy().tobytes() for draw in draws}) == 30
    assert all(draw.shape == (3, 64, 64) for draw in draws)


def test_pictures_are_flipped_as_told_or_half_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiber.data.transforms.rand_augment", lambda image, rng: image)
    monkeypatch.setattr(RandAugmentTransform, "crop_box", lambda self, width, height, rng: (0, 0, width, height))
    transform = RandAugmentTransform(64)
    straight = ResizeTransform(64)(picture(), rng())
    for flip, expected in ((False, straight), (True, straight.flip(-1))):
        assert all(torch.equal(transform(picture(), rng(seed), flip=flip), expected) for seed in range(9))
    drawn = [torch.equal(transform(picture(), rng(seed)), straight.flip(-1)) for seed in range(200)]
    assert 70 < sum(drawn) < 130
    assert 70 < sum(transform.draw_flip(rng(seed)) for seed in range(200)) < 130
    assert torch.equal(ResizeTransform(64)(picture(), rng(), flip=True), straight.flip(-1))
    assert not any(ResizeTransform(64).draw_flip(rng(seed)) for seed in range(50))


def test_crops_keep_half_the_picture_or_more() -> None:
    transform, generator = RandAugmentTransform(64), rng()
    for _ in range(200):
        left, top, right, bottom = transform.crop_box(60, 40, generator)
        assert 0 <= left < right <= 60 and 0 <= top < bottom <= 40
        assert 0.46 <= (right - left) * (bottom - top) / 2400 <= 1.0
        assert 0.7 <= (right - left) / (bottom - top) <= 1.5


def test_normalised_pixels_have_imagenet_statistics() -> None:
    image = torch.tensor([124, 116, 104], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = torch.tensor([(124 / 255 - 0.485) / 0.229, (116 / 255 - 0.456) / 0.224, (104 / 255 - 0.406) / 0.225])
    torch.testing.assert_close(normalize_pixels(image).flatten(), expected)


def test_autocontrast_stretches_pictures_without_black() -> None:
    stretched = np.asarray(rand_augment.auto_contrast(picture(), rng()))
    assert np.array_equal(stretched, np.asarray(ImageOps.autocontrast(picture())))
    assert stretched.min() == 0 and stretched.max() == 255 and 80 < stretched.mean() < 180


def test_sharpness_clips_and_leaves_the_border() -> None:
    dots = np.zeros((9, 9, 3), dtype=np.uint8)
    dots[4, 4] = 255
    sharp = np.asarray(rand_augment.sharpness(Image.fromarray(dots), rng()))
    assert (sharp[4, 4] == 255).all()  # beyond white, clipped
    assert (sharp[4, 5] == 0).all()  # below black, clipped
    soft = picture(size=(12, 12))
    sharp = np.asarray(rand_augment.sharpness(soft, rng())).astype(float)
    original = np.asarray(soft).astype(float)
    weights = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    smooth = sum(
        weights[row, column] * original[row : row + 10, column : column + 10] for row in range(3) for column in range(3)
    )
    expected = np.clip(smooth + 1.36 * (original[1:-1, 1:-1] - smooth), 0, 255)
    assert np.abs(sharp[1:-1, 1:-1] - expected).max() <= 1.5  # the smoothed picture is rounded
    assert np.array_equal(sharp[0], original[0])


def test_brightness_multiplies_and_clips() -> None:
    ramp = Image.fromarray(np.arange(0, 252, 4, dtype=np.uint8).repeat(3).reshape(7, 9, 3))
    bright = np.asarray(rand_augment.brightness(ramp, rng()))
    assert np.array_equal(bright, np.minimum(255, (np.asarray(ramp) * 1.36).astype(int)))


def test_geometric_operations_move_the_picture_and_fill_with_grey() -> None:
    image = picture(size=(40, 40))
    pixels = np.asarray(image)
    moved = np.asarray(rand_augment.affine(image, (1, 0, 7.0, 0, 1, 0)))
    assert np.array_equal(moved[:, :32], pixels[:, 7:39])
    assert (moved[:, 34:] == 128).all()
    for operation in (rand_augment.shear_x, rand_augment.shear_y, rand_augment.rotate, rand_augment.translate_y):
        both = {np.asarray(operation(image, rng(seed))).tobytes() for seed in range(20)}
        assert len(both) == 2  # either way


def test_half_of_the_drawn_operations_are_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(rand_augment, "OPERATIONS", (lambda image, _: calls.append(1) or image,) * 10)
    for seed in range(1000):
        rand_augment.rand_augment(picture(size=(8, 8)), rng(seed))
    assert abs(len(calls) / 2000 - 0.5) < 0.05
