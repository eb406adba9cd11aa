"""Tables of tab-separated values, as the original packs Objects365."""

import base64
import io
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.objects365_tsv import Objects365Tsv
from fiber.data.readers.tsv import TsvFile
from fiber.data.records import LabeledBox
from fiber.utils.errors import UserError

CAT = {"class": "cat", "rect": [10.5, 20, 60, 90], "conf": 1.0}
DOG = {"class": "dog", "rect": [0, 0, 5, 5]}


def encoded(shade: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), (shade, 0, 0)).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write_table(path: Path, rows: Sequence[Sequence[str]], *, index: bool = True) -> None:
    lines = ["\t".join(row) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    if index:
        starts = [sum(len(line.encode()) for line in lines[:place]) for place in range(len(lines))]
        path.with_suffix(".lineidx").write_text("".join(f"{start}\n" for start in starts))


def pack(folder: Path, *, index: bool = True, **changes: Any) -> str:
    """Two images, 101 and 102; the list names the second, the first, the second."""
    write_table(folder / "images.tsv", [("101", encoded(1)), ("102", "note", encoded(2) + " ")], index=index)
    labels = [("101", json.dumps([CAT, DOG])), ("102", json.dumps({"objects": [CAT]}))]
    write_table(folder / "train.label.tsv", labels, index=index)
    sizes = [("101", '[{"height": 80, "width": 100}]'), ("102", "30 40")]
    write_table(folder / "train.hw.tsv", sizes, index=index)
    (folder / "list.tsv").write_text("1\n0\n1\n")
    (folder / "class2ind.json").write_text('{"label_to_idx": {"dog": 3, "__background__": 0, "cat": 1}}')
    keys = {
        "img": "images.tsv",
        "label": "train.label.tsv",
        "hw": "train.hw.tsv",
        "linelist": str(folder / "list.tsv"),
        "jsondict": "class2ind.json",
        **changes,
    }
    path = folder / "objects365.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in keys.items() if value is not None))
    return str(path)


def test_the_real_layout(shared: Path) -> None:
    folder = shared / "data/mini/derived_o365_tsv"
    (yaml_file,) = folder.glob("*.yaml")
    reader = pickle.loads(pickle.dumps(Objects365Tsv(str(yaml_file))))
    rows = [*range(10), 0, 3]
    labels = [line.split("\t") for line in (folder / "train.label.tsv").read_text().splitlines()]
    assert [reader.image_id(index) for index in range(len(reader))] == [labels[row][0] for row in rows]
    assert (len(reader.classes), reader.classes[0], reader.category_ids[:2]) == (80, "person", (1, 2))
    for index, row in enumerate(rows):
        expected = [(item["class"], tuple(item["rect"])) for item in json.loads(labels[row][1])]
        assert [(reader.classes[item.class_index], item.box) for item in reader.objects(index)] == expected
        assert reader.load_image(index).size[::-1] == tuple(reader.sizes()[index])


@pytest.mark.parametrize("index", [True, False])
def test_the_line_list_repeats_rows(tmp_path: Path, index: bool) -> None:
    reader = Objects365Tsv(pack(tmp_path, index=index))
    assert [reader.image_id(place) for place in range(len(reader))] == ["102", "101", "102"]
    assert [reader.load_image(place).getpixel((0, 0)) for place in range(3)] == [(2, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert (reader.classes, reader.category_ids) == (("cat", "dog"), (1, 3))
    assert reader.objects(0) == [LabeledBox((10.5, 20, 60, 90), 0)]
    assert reader.objects(1) == [LabeledBox((10.5, 20, 60, 90), 0), LabeledBox((0, 0, 5, 5), 1)]
    assert reader.sizes().tolist() == [[30, 40], [80, 100], [30, 40]]
    assert reader.location(0).endswith("images.tsv:2")


def test_line_list_and_sizes_are_optional(tmp_path: Path) -> None:
    (tmp_path / "names.tsv").write_text("cat\ndog\n")
    reader = Objects365Tsv(pack(tmp_path, hw=None, linelist=None, labelmap="names.tsv"))
    assert [reader.image_id(place) for place in range(len(reader))] == ["101", "102"]
    assert reader.sizes().tolist() == [[0, 0], [0, 0]]
    assert reader.category_ids == (1, 2)


def test_a_pickled_reader_is_a_path(tmp_path: Path) -> None:
    reader = Objects365Tsv(pack(tmp_path))
    pickled = pickle.dumps(reader)
    assert len(pickled) < 300
    assert pickle.loads(pickled).objects(1) == reader.objects(1)


def test_rows_beyond_ascii_are_found_by_bytes(tmp_path: Path) -> None:
    write_table(tmp_path / "a.tsv", [("ä", "é"), (" b ", "ö\r"), ("c",)])
    write_table(tmp_path / "b.tsv", [("ä", "é"), (" b ", "ö\r"), ("c",)], index=False)
    for name in ("a.tsv", "b.tsv"):
        table = TsvFile(tmp_path / name)
        assert [table[row] for row in range(len(table))] == [["ä", "é"], ["b", "ö"], ["c"]]


def test_an_unknown_class_is_named_by_file_and_row(tmp_path: Path) -> None:
    yaml_file = pack(tmp_path)
    write_table(tmp_path / "train.label.tsv", [("101", "[]"), ("102", json.dumps([{**CAT, "class": "owl"}]))])
    reader = Objects365Tsv(yaml_file)
    assert reader.objects(1) == []
    with pytest.raises(UserError, match=r"train\.label\.tsv:2 holds an object of class 'owl'"):
        reader.objects(0)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("{", r"label\.tsv:1 has no json in its second column"),
        ('{"rects": []}', r"label\.tsv:1 holds no list of objects"),
        ('[{"class": "cat", "rect": [1, 2]}]', r'label\.tsv:1 holds an object without "rect"'),
    ],
)
def test_damaged_labels_are_named(tmp_path: Path, label: str, message: str) -> None:
    yaml_file = pack(tmp_path)
    write_table(tmp_path / "train.label.tsv", [("101", label), ("102", "[]")])
    with pytest.raises(UserError, match=message):
        Objects365Tsv(yaml_file).objects(1)


def test_damaged_images_are_broken(tmp_path: Path) -> None:
    yaml_file = pack(tmp_path)
    write_table(tmp_path / "images.tsv", [("101", "no base64!"), ("102", base64.b64encode(b"no image").decode())])
    reader = Objects365Tsv(yaml_file)
    for index, place in ((0, 2), (1, 1)):
        with pytest.raises(BrokenImageError, match=rf"images\.tsv:{place}"):
            reader.load_image(index)
    with pytest.raises(BrokenImageError, match=r"images\.tsv:1"):
        reader.encoded_images(1)
    assert reader.encoded_images(0) == [b"no image"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": None}, r"objects365\.yaml lacks img or label"),
        ({"jsondict": None}, r"objects365\.yaml lacks jsondict or labelmap"),
        ({"img": "absent.tsv"}, r"objects365\.yaml: img=absent\.tsv is neither a file nor one beside it"),
        ({"imageid2idx": "map.json"}, "imageid2idx is not supported"),
        ({"linelist": "far.tsv"}, r"far\.tsv names rows outside of .*images\.tsv, which has 2"),
        ({"linelist": "words.tsv"}, r"words\.tsv: .*expected one whole number a line"),
        ({"label": "one.tsv"}, r"one\.tsv has 1 rows and .*images\.tsv 2"),
        ({"hw": "empty.tsv"}, r"empty\.tsv is empty"),
        ({"jsondict": "zero.json"}, r"zero\.json numbers a class below 1"),
        ({"jsondict": "list.json"}, r"list\.json is of another format: expected names and numbers"),
        ({"hw": "[1"}, r"objects365\.yaml is no yaml file"),
    ],
)
def test_faults_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    (tmp_path / "far.tsv").write_text("0\n2\n")
    (tmp_path / "words.tsv").write_text("0\none\n")
    (tmp_path / "empty.tsv").touch()
    (tmp_path / "zero.json").write_text('{"cat": 0}')
    (tmp_path / "list.json").write_text('["cat"]')
    write_table(tmp_path / "one.tsv", [("101", "[]")])
    with pytest.raises(UserError, match=message):
        Objects365Tsv(pack(tmp_path, **changes))


@pytest.mark.parametrize(("offsets", "when"), [("0\n99999\n", "built"), ("0\n7\n", "read")])
def test_an_index_of_another_file_is_refused(tmp_path: Path, offsets: str, when: str) -> None:
    yaml_file = pack(tmp_path)
    (tmp_path / "train.label.lineidx").write_text(offsets)
    message = r"train\.label\.lineidx does not belong to .*train\.label\.tsv"
    if when == "built":
        with pytest.raises(UserError, match=message):
            Objects365Tsv(yaml_file)
    else:
        with pytest.raises(UserError, match=message):
            Objects365Tsv(yaml_file).objects(0)


def test_a_row_without_size_is_named(tmp_path: Path) -> None:
    yaml_file = pack(tmp_path)
    write_table(tmp_path / "train.hw.tsv", [("101", "30 40"), ("102", "[]")])
    with pytest.raises(UserError, match=r"hw\.tsv:2 states no height and width"):
        Objects365Tsv(yaml_file).sizes()
