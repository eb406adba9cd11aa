"""Pictures of any mode as RGB."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.files import load_rgb
from fiber.data.rgb import to_rgb


@pytest.mark.parametrize(
    ("values", "dtype", "mode", "expected"),
    [
        ([0, 257, 32768, 65535], "uint16", "I;16", [0, 1, 128, 255]),
        ([0, 257, 32768, 65535], ">u2", "I;16B", [0, 1, 128, 255]),
        ([0, 1, 100, 200], "uint16", "I;16", [0, 0, 0, 1]),  # dark is no reason to scale otherwise
        ([-5, 257, 32768, 99999], "int32", "I", [0, 1, 128, 255]),
        ([0, 1, 128, 255], "int32", "I", [0, 1, 128, 255]),
        ([-1.0, 0.5, 1.0, float("nan")], "float32", "F", [0, 128, 255, 0]),
        ([0.4, 1.0, 128.0, 300.0], "float32", "F", [0, 1, 128, 255]),
    ],
)
def test_greyscale_of_more_than_eight_bits_is_scaled(
    values: list[float], dtype: str, mode: str, expected: list[int]
) -> None:
    image = Image.fromarray(np.array([values], dtype=dtype))
    assert image.mode == mode
    found = to_rgb(image)
    assert found.mode == "RGB"
    assert np.asarray(found).tolist() == [[[level] * 3 for level in expected]]


def test_sixteen_bit_files_are_read_and_cut_ones_are_broken(tmp_path: Path) -> None:
    ramp = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    found = np.asarray(load_rgb(tmp_path / "ramp.png", "ramp.png"))
    assert (found[..., 0] == np.rint(ramp / 257)).all()
    content = (tmp_path / "ramp.png").read_bytes()
    with pytest.raises(BrokenImageError, match=r"^ramp\.png: "):
        load_rgb(io.BytesIO(content[: len(content) // 2]), "ramp.png")
    with pytest.raises(BrokenImageError, match=r"^gone\.png: No such file or directory$"):
        load_rgb(tmp_path / "gone.png", "gone.png")


def test_alpha_is_dropped_and_other_modes_are_converted() -> None:
    assert to_rgb(Image.new("RGBA", (1, 1), (10, 20, 30, 0))).getpixel((0, 0)) == (10, 20, 30)
    assert to_rgb(Image.new("LA", (1, 1), (7, 0))).getpixel((0, 0)) == (7, 7, 7)
    assert to_rgb(Image.new("1", (1, 1), 1)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_the_orientation_is_kept_and_not_applied(mode: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new(mode, (4, 2)).save(tmp_path / "turned.png", exif=exif)
    found = load_rgb(tmp_path / "turned.png", "turned.png")
    assert found.size == (4, 2)
    assert found.getexif()[0x0112] == 6
