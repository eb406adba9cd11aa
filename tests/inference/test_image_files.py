"""Pictures that a user names."""

from pathlib import Path

import pytest
from PIL import Image

from fiber.data.readers.base import BrokenImageError
from fiber.inference.image_files import find_images, output_stems, read_image
from fiber.utils.errors import UserError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.jpg", "deep/c.jpg", "d[1].png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (6, 4), (200, 0, 0)).save(path)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_patterns_give_sorted_files_and_every_file_once(photos: Path) -> None:
    def names(*patterns: str) -> list[str]:
        return [str(path.relative_to(photos)) for path in find_images([str(photos / one) for one in patterns])]

    assert names("*.jpg") == ["a.jpg", "b.jpg"]
    assert names("b.jpg", "*.jpg") == ["b.jpg", "a.jpg"]
    assert names("**/*.jpg") == ["a.jpg", "b.jpg", "deep/c.jpg"]
    assert names("d[1].png") == ["d[1].png"]
    (photos / "E.JPEG").write_bytes((photos / "a.jpg").read_bytes())
    assert names(".") == ["E.JPEG", "a.jpg", "b.jpg", "d[1].png"]
    assert [path.name for path in find_images([str(photos / "a.jpg")] * 2, repeats=True)] == ["a.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["absent.jpg"], "absent.jpg does not exist"),
        (["*.gif"], r"\*.gif does not exist"),
        (["empty"], r"empty is a folder without pictures .*say image='.*empty/\*\*/\*.jpg'"),
        ([], "image is missing"),
    ],
)
def test_what_names_no_picture_is_an_error(photos: Path, names: list[str], message: str) -> None:
    (photos / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        find_images([str(photos / name) for name in names])


def test_pictures_come_upright_and_in_rgb(tmp_path: Path) -> None:
    stored = Image.new("RGB", (30, 20), (200, 0, 0))
    stored.paste((0, 0, 200), (0, 0, 15, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    stored.save(tmp_path / "phone.png", exif=exif)
    picture = read_image(tmp_path / "phone.png")
    assert (picture.size, picture.mode) == ((20, 30), "RGB")
    assert picture.getpixel((10, 5)) == (0, 0, 200) and picture.getpixel((10, 25)) == (200, 0, 0)
    Image.new("LA", (3, 2), (70, 255)).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").getpixel((0, 0)) == (70, 70, 70)


def test_a_file_that_is_no_picture_is_named(photos: Path) -> None:
    with pytest.raises(BrokenImageError, match=r"notes\.txt: cannot identify"):
        read_image(photos / "notes.txt")


def test_pictures_of_one_name_are_written_about_under_several() -> None:
    paths = [Path(name) for name in ("x/cat.jpg", "y/cat.jpg", "cat-2.jpg", "cat.png", "dog.tar.jpg")]
    assert output_stems(paths) == ["cat", "cat-3", "cat-2", "cat-4", "dog.tar"]
