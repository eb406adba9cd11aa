"""Pictures with boxes, resized and flipped."""

import numpy as np
import pytest
import torch
from PIL import Image

from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig, flip_boxes, resized_size
from fiber.utils.errors import UserError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(rng().integers(0, 256, (height, width, 3), dtype=np.uint8))


def transform(**settings: object) -> GroundingTransform:
    return GroundingTransform(GroundingTransformConfig(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "resized"),
    [
        ((640, 480), (800, 1066)),
        ((480, 640), (1066, 800)),
        ((1000, 300), (400, 1333)),
        ((2000, 500), (333, 1332)),
        ((333, 500), (1201, 800)),
        ((640, 640), (800, 800)),
        ((1333, 800), (800, 1333)),
        ((427, 640), (1199, 800)),
        ((10000, 2), (1, 5000)),  # never no pixel
    ],
)
def test_sizes_are_the_originals(size: tuple[int, int], resized: tuple[int, int]) -> None:
    assert resized_size(*size, short_side=800, max_side=1333) == resized


def test_pixels_are_resized_bilinearly_and_boxes_by_the_same_ratios() -> None:
    image, boxes = picture(64, 48), torch.tensor([[6.0, 12.0, 64.0, 48.0], [0.0, 0.0, 1.5, 1.0]])
    result = transform(short_sides=(20,), flip_probability=0.0)(image, boxes, rng())
    expected = np.asarray(image.resize((26, 20), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert result.image.dtype == torch.uint8 and np.array_equal(result.image.numpy(), expected)
    scale = torch.tensor([26 / 64, 20 / 48, 26 / 64, 20 / 48])
    assert result.boxes.dtype == torch.float32 and not result.flipped
    torch.testing.assert_close(result.boxes, boxes * scale)
    assert result.boxes[0, 2:].tolist() == [26, 20]  # what touches the border still does


def test_flipped_boxes_are_the_originals() -> None:
    # The original's (10, 20, 60, 90) and (39, 20, 89, 90) name the last pixels inside.
    flipped = flip_boxes(torch.tensor([[10.0, 20.0, 61.0, 91.0]]), 100)
    assert flipped.tolist() == [[39.0, 20.0, 90.0, 91.0]]


def test_flipping_moves_boxes_with_their_pixels() -> None:
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[5:15, 7:30] = 255
    boxes = torch.tensor([[7.0, 5.0, 30.0, 15.0]])
    result = transform(short_sides=(80,), flip_probability=1.0)(Image.fromarray(pixels), boxes, rng())
    assert result.flipped
    assert result.boxes.tolist() == [[60.0, 10.0, 106.0, 30.0]]
    rows, columns = (result.image[0] > 127).nonzero().unbind(1)
    assert (int(columns.min()), int(rows.min())) == (60, 10)
    assert (int(columns.max()) + 1, int(rows.max()) + 1) == (106, 30)


def test_images_without_boxes_pass() -> None:
    result = transform(flip_probability=1.0)(picture(30, 30), torch.zeros(0, 4), rng())
    assert result.boxes.shape == (0, 4)


def test_short_sides_and_flips_are_drawn_evenly_from_the_generator() -> None:
    image, boxes = picture(12, 8), torch.zeros(0, 4)
    draw = transform(short_sides=(8, 16, 24))
    results = [draw(image, boxes, rng(seed)) for seed in range(600)]
    sides = [result.image.shape[1] for result in results]
    assert all(abs(sides.count(side) / 600 - 1 / 3) < 0.07 for side in (8, 16, 24))
    assert abs(sum(result.flipped for result in results) / 600 - 0.5) < 0.07
    for seed, result in enumerate(results[:20]):
        again = draw(image, boxes, rng(seed))
        assert torch.equal(again.image, result.image) and again.flipped == result.flipped


@pytest.mark.parametrize(
    "settings", [{"short_sides": ()}, {"short_sides": (0,)}, {"max_side": 0}, {"flip_probability": 1.5}]
)
def test_impossible_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UserError, match="image transform: "):
        transform(**settings)
