"""Annotation files are parsed once, whoever starts, crashes or changes them."""

import json
import multiprocessing
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from fiber.data.readers import annotation_index
from fiber.data.readers.annotation_index import AnnotationIndex, IndexContent, cache_folder, index_path
from fiber.data.readers.coco_detection import CocoDetection
from fiber.utils.errors import UserError

RECORDS = [["ä cat", 1.5], ["\ud83d alone", [2]], []]


def build(path: Path) -> IndexContent:
    """A file that lists its own records."""
    content = json.loads(path.read_text())
    return IndexContent(
        details=["kept"],
        sizes=[(number, number + 1) for number in range(len(content))],
        records=iter(content),
    )


def refuse(path: Path, **_: Any) -> IndexContent:
    raise AssertionError(f"{path} was parsed again")


def write(folder: Path, records: list[Any]) -> Path:
    path = folder / "annotations.json"
    path.write_text(json.dumps(records))
    return path


def test_an_index_returns_what_was_put_in(tmp_path: Path) -> None:
    index = AnnotationIndex(write(tmp_path, RECORDS), layout="test", build=build)
    assert [index[number] for number in range(len(index))] == RECORDS
    assert index.sizes.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert index.details == ["kept"]


def test_indices_without_records_or_details_open_again(tmp_path: Path) -> None:
    path = write(tmp_path, [])
    AnnotationIndex(path, layout="test", build=build)
    assert len(AnnotationIndex(path, layout="test", build=refuse)) == 0


def test_a_second_start_does_not_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 4, "width": 5}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [0, 1, 2, 3]}],
        "categories": [{"id": 3, "name": "cat"}],
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    first = CocoDetection(str(path), image_folder=str(tmp_path))
    monkeypatch.setattr("fiber.data.readers.coco_format.read_json", refuse)
    again = CocoDetection(str(path), image_folder=str(tmp_path))
    assert again.objects(0) == first.objects(0) and again.classes == ("cat",)
    assert again.sizes().tolist() == [[4, 5]]
    with pytest.raises(AssertionError, match="parsed again"):
        CocoDetection(str(path), image_folder=str(tmp_path), training=False)


def test_layouts_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = write(tmp_path, RECORDS)
    AnnotationIndex(path, layout="test", build=build)
    with pytest.raises(AssertionError, match="parsed again"):
        AnnotationIndex(path, layout="other", build=refuse)


@pytest.mark.parametrize("same_size", [True, False])
def test_a_changed_source_is_indexed_anew_and_leaves_one_index(tmp_path: Path, cache: Path, same_size: bool) -> None:
    path = write(tmp_path, ["old"])
    AnnotationIndex(path, layout="test", build=build)
    before = path.stat()
    write(tmp_path, ["new" if same_size else "newer"])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + (1 if same_size else 0)))
    assert AnnotationIndex(path, layout="test", build=build)[0].startswith("new")
    assert len(list(cache.glob("annotations/*.index"))) == 1


@pytest.mark.parametrize("damage", ["cut", "magic", "header", "offsets", "empty"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path, RECORDS)
    AnnotationIndex(path, layout="test", build=build)
    index = index_path(path, "test")
    content = bytearray(index.read_bytes())
    length = int.from_bytes(content[8:16], "little")
    if damage == "cut":
        del content[-1]
    elif damage == "empty":
        content.clear()
    else:
        content[{"magic": 0, "header": 17, "offsets": 16 + length + 3}[damage]] ^= 0xFF
    index.write_bytes(content)
    mended = AnnotationIndex(path, layout="test", build=build)
    assert [mended[number] for number in range(3)] == RECORDS
    assert mended.sizes.tolist() == [[0, 1], [1, 2], [2, 3]]
    AnnotationIndex(path, layout="test", build=refuse)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, ["a"])
    AnnotationIndex(path, layout="test", build=build)
    index = index_path(path, "test")
    index.write_bytes(index.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"\.index is damaged .* delete it"):
        AnnotationIndex(path, layout="test", build=refuse)[0]


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path, RECORDS)
    index = index_path(path, "test")
    index.parent.mkdir(parents=True)
    index.with_suffix(".0123.partial").write_bytes(b"half an ind")
    assert AnnotationIndex(path, layout="test", build=build)[0] == RECORDS[0]
    assert {file.suffix for file in index.parent.iterdir()} == {".index", ".lock"}


def test_a_build_that_fails_leaves_no_index(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path, RECORDS)
    with pytest.raises(AssertionError):
        AnnotationIndex(path, layout="test", build=refuse)
    assert {file.suffix for file in index_path(path, "test").parent.iterdir()} == {".lock"}
    assert len(AnnotationIndex(path, layout="test", build=build)) == 3


def counting_build(path: Path) -> IndexContent:
    """Leave a mark per call."""
    (path.parent / f"built-{os.getpid()}").touch()
    return build(path)


def open_at_once(path: Path, barrier: Any, results: Any) -> None:
    barrier.wait()
    index = AnnotationIndex(path, layout="test", build=counting_build)
    results.put([index[number] for number in range(len(index))])


def test_processes_that_start_at_once_build_one_index(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path, [[number] * 20 for number in range(5000)])
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=open_at_once, args=(path, barrier, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert all(records == json.loads(path.read_text()) for records in found)
    assert len(list(tmp_path.glob("built-*"))) == 1
    assert {file.suffix for file in index_path(path, "test").parent.iterdir()} == {".index", ".lock"}


def test_builders_without_locks_leave_one_good_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on network file systems that have none: the second is done before the first has written."""
    monkeypatch.setattr(annotation_index, "acquire", lambda lock: False)
    path = write(tmp_path, RECORDS)

    def slow(source: Path) -> IndexContent:
        AnnotationIndex(path, layout="test", build=build)
        return build(source)

    assert [AnnotationIndex(path, layout="test", build=slow)[number] for number in range(3)] == RECORDS
    assert len(AnnotationIndex(path, layout="test", build=refuse)) == 3


def test_a_pickled_index_is_a_path_and_opening_one_costs_no_memory(tmp_path: Path) -> None:
    path = write(tmp_path, [[number] * 20 for number in range(20_000)])
    index = AnnotationIndex(path, layout="test", build=build)
    pickled = pickle.dumps(index)
    assert len(pickled) < 1000
    tracemalloc.start()
    again = pickle.loads(pickled)
    assert again[19_999] == [19_999] * 20
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 2_000_000 and peak < 50_000


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBER_CACHE", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/own")
    monkeypatch.delenv("FIBER_CACHE")
    assert cache_folder() == Path("/xdg/fiber")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/someone/.cache/fiber")


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, RECORDS)
    monkeypatch.setenv("FIBER_CACHE", str(path))
    with pytest.raises(UserError, match=r"No index can be kept in .*annotations\.json.*set FIBER_CACHE"):
        AnnotationIndex(path, layout="test", build=build)
    with pytest.raises(UserError, match=r"absent\.json does not exist"):
        AnnotationIndex(tmp_path / "absent.json", layout="test", build=build)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("No space left on device")

    path = write(tmp_path, RECORDS)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"\.index cannot be written \(No space left.*set FIBER_CACHE"):
        AnnotationIndex(path, layout="test", build=build)
    assert {file.suffix for file in index_path(path, "test").parent.iterdir()} == {".lock"}
