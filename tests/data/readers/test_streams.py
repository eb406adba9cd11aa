"""Lines, Arrow tables and tar shards."""

import io
import json
import pickle
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from fiber.data.readers import webdataset
from fiber.data.readers.arrow import ArrowPairs
from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.jsonl import JsonlPairs
from fiber.data.readers.webdataset import WebDatasetPairs
from fiber.utils.errors import UserError


def encoded(shade: int) -> bytes:
    """A small picture of one grey value, as PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), (shade, shade, shade)).save(buffer, format="PNG")
    return buffer.getvalue()


def shade(image: Image.Image) -> int:
    pixel = image.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return int(pixel[0])


def write_lines(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_jsonl_reads_lines_by_their_place(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(number))
    lines = [
        '{"image": "2.png", "caption": "zwei Bäume", "id": "b"}',
        "",
        '{"image": "0.png", "caption": ["none", "none ", "nothing"]}',
    ]
    reader = pickle.loads(pickle.dumps(JsonlPairs(write_lines(tmp_path / "pairs.jsonl", lines))))
    assert [reader.image_id(index) for index in range(len(reader))] == ["b", "0.png"]
    assert list(reader.captions(0)) == ["zwei Bäume"] and list(reader.captions(1)) == ["none", "nothing"]
    assert reader.caption_counts().tolist() == [1, 2]
    assert [shade(reader.load_image(index)) for index in range(2)] == [2, 0]
    assert reader.image_files(0) == (tmp_path / "2.png",) and reader.encoded_images(0) == [encoded(2)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"pairs\.jsonl:2 is not json"),
        ('{"image": "x.png"}', r"pairs\.jsonl:2 lacks image or caption"),
        ('{"image": "x.png", "caption": " "}', r"pairs\.jsonl:2: the caption is no text, or an empty one"),
        ("[1]", r"pairs\.jsonl:2 lacks image or caption"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, line: str, message: str) -> None:
    path = write_lines(tmp_path / "pairs.jsonl", ['{"image": "x.png", "caption": "y"}', line])
    with pytest.raises(UserError, match=message):
        JsonlPairs(path)


def test_an_empty_jsonl_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is empty"):
        JsonlPairs(write_lines(tmp_path / "pairs.jsonl", []))


def write_arrow(path: Path, shades: list[int]) -> None:
    table = pa.table(
        {
            "image": [encoded(number) for number in shades],
            "caption": [[f"grey {number}", f"grey {number}", "grey"] for number in shades],
            "image_id": [f"{number}.png" for number in shades],
        }
    )
    with pa.OSFile(str(path), "wb") as file, pa.RecordBatchFileWriter(file, table.schema) as writer:
        writer.write_table(table)


def test_arrow_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    write_arrow(tmp_path / "sbu_0.arrow", [1, 2])
    write_arrow(tmp_path / "sbu_1.arrow", [3])
    reader = pickle.loads(pickle.dumps(ArrowPairs([str(tmp_path / "sbu_*.arrow")])))
    assert [reader.image_id(index) for index in range(len(reader))] == ["1.png", "2.png", "3.png"]
    assert [shade(reader.load_image(index)) for index in range(3)] == [1, 2, 3]
    assert reader.image_files(2) == () and reader.encoded_images(2) == [encoded(3)]
    assert list(reader.captions(2)) == ["grey 3", "grey"]
    assert list(reader.references(2)) == ["grey 3", "grey 3", "grey"]  # as often as benchmarks count them
    assert reader.location(2).endswith("sbu_1.arrow:0")


def test_files_that_are_no_arrow_tables_of_pairs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.arrow").write_text("no table")
    with pytest.raises(UserError, match=r"text\.arrow is no Arrow IPC file"):
        ArrowPairs([str(tmp_path / "text.arrow")])
    with pytest.raises(UserError, match="matches no file"):
        ArrowPairs([str(tmp_path / "absent_*.arrow")])
    table = pa.table({"image": [b""]})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.RecordBatchFileWriter(file, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match="lacks the columns caption, image_id"):
        ArrowPairs([str(tmp_path / "a.arrow")])


def write_shard(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def pair(key: str, number: int) -> dict[str, bytes]:
    return {
        f"{key}.json": json.dumps({"key": key}).encode(),
        f"{key}.png": encoded(number),
        f"{key}.txt": f"grey {number}".encode(),
    }


def test_shards_are_read_by_position(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_shard(tmp_path / "00000.tar", pair("000", 1) | pair("001", 2) | {"002.png": encoded(9)})
    write_shard(tmp_path / "00001.tar", pair("000", 3))
    reader = pickle.loads(pickle.dumps(WebDatasetPairs([str(tmp_path / "*.tar")])))
    assert "1 of 3 images have no caption" in caplog.text
    assert [shade(reader.load_image(index)) for index in range(len(reader))] == [1, 2, 3]
    assert reader.image_files(2) == () and reader.encoded_images(2) == [encoded(3)]
    assert [reader.captions(index)[0] for index in range(3)] == ["grey 1", "grey 2", "grey 3"]
    assert len({reader.image_id(index) for index in range(3)}) == 3


def test_an_index_is_kept_and_renewed_when_its_shard_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tmp_path / "00000.tar"
    write_shard(shard, pair("000", 1))
    WebDatasetPairs([str(shard)])
    scans = []
    scan = webdataset.scan_shard
    monkeypatch.setattr(webdataset, "scan_shard", lambda path: scans.append(path) or scan(path))
    assert len(WebDatasetPairs([str(shard)])) == 1 and not scans
    write_shard(shard, pair("000", 1) | pair("001", 2))
    assert len(WebDatasetPairs([str(shard)])) == 2 and scans == [shard]


def test_damaged_pictures_and_shards_are_named(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", pair("000", 1) | {"000.png": b"no picture"})
    with pytest.raises(BrokenImageError, match=r"a\.tar@"):
        WebDatasetPairs([str(tmp_path / "a.tar")]).load_image(0)
    (tmp_path / "b.tar").write_bytes(b"no tar")
    with pytest.raises(UserError, match=r"b\.tar is no uncompressed tar"):
        WebDatasetPairs([str(tmp_path / "b.tar")])
    write_shard(tmp_path / "c.tar", {"readme.md": b"x"})
    with pytest.raises(UserError, match="the shards hold no pair"):
        WebDatasetPairs([str(tmp_path / "c.tar")])
