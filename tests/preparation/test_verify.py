"""What `prepare_data.py verify` counts, says and returns."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from fiber.data.readers.grounding_jsonl import GroundingJsonl
from fiber.data.readers.jsonl import JsonlPairs
from fiber.data.readers.mdetr_grounding import MdetrGrounding
from fiber.data.readers.packed import read_packed
from fiber.data.readers.packed_index import ShardLimits
from fiber.preparation import image_checks
from fiber.preparation.commands import prepare_data
from fiber.preparation.image_checks import ImageChecker, ImageCounts
from fiber.preparation.left_out import left_out
from fiber.preparation.packing import pack_shards
from fiber.preparation.verify import verify_data
from fiber.utils.errors import UserError

from .composing import composed

READERS = "fiber.data.readers"


def verified(
    tmp_path: Path, *, train: list[Any], val: Any = (), splits: dict[str, Any] | None = None, decode: Any = True
) -> tuple[int, list[dict[str, Any]]]:
    """Exit status, and what is written of every split."""
    status = verify_data(configured(tmp_path, train=train, val=val, splits=splits or {}, decode=decode))
    content = json.loads((tmp_path / "out/verify.json").read_text())
    assert content["complete"] == (status == 0)
    return status, content["splits"]


def configured(tmp_path: Path, *, decode: Any = True, **data: Any) -> DictConfig:
    output = str(tmp_path / "out/verify.json")
    return OmegaConf.create({"data": data, "decode": decode, "num_workers": 1, "output": output})


def pairs(path: Path) -> dict[str, str]:
    return {"_target_": f"{READERS}.jsonl.JsonlPairs", "path": str(path)}


def write_pairs(folder: Path, *images: str) -> Path:
    """Lines about images; those not called `missing` exist, and `cut` ends early."""
    folder.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    for name in images:
        if not name.startswith("missing"):
            Image.fromarray(noise).save(folder / name)
        if name.startswith("cut"):
            (folder / name).write_bytes((folder / name).read_bytes()[:900])
    lines = [json.dumps({"image": name, "caption": f"line {place}"}) for place, name in enumerate(images)]
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "pairs.jsonl"


def test_an_image_counts_once_however_many_samples_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pairs(tmp_path / "data", "a.png", "a.png", "cut.png", "missing.png", "missing.png", "b.jpg")
    status, (train,) = verified(tmp_path, train=[pairs(path)])
    assert status == 1
    assert (train["samples"], train["images"], train["found"], train["missing"], train["unreadable"]) == (6, 4, 2, 1, 1)
    assert train["missing_images"] == [str(tmp_path / "data/missing.png")]
    assert train["unreadable_images"] == [str(tmp_path / "data/cut.png")]
    said = capsys.readouterr().out
    assert f"pairs.jsonl (train): missing {tmp_path / 'data/missing.png'}" in said
    assert f"pairs.jsonl (train): unreadable {tmp_path / 'data/cut.png'}" in said
    assert "incomplete" in said


def test_without_decoding_a_cut_image_is_found(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "data", "a.png", "cut.png")
    assert verified(tmp_path, train=[pairs(path)])[0] == 1
    status, (train,) = verified(tmp_path, train=[pairs(path)], decode=False)
    assert (status, train["found"], train["unreadable"]) == (0, 2, 0)


def test_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = JsonlPairs(str(write_pairs(tmp_path / "data", "a.png", "cut.png", "missing.png", "b.png")))
    alone = ImageChecker(num_workers=1).check(reader)
    monkeypatch.setattr(image_checks, "MIN_PARALLEL", 1)
    assert ImageChecker(num_workers=2).check(reader) == alone
    assert alone == ImageCounts(4, (str(tmp_path / "data/missing.png"),), (str(tmp_path / "data/cut.png"),))
    assert alone.found == 2


def test_only_the_first_few_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pairs(tmp_path / "data", *(f"missing{number}.png" for number in range(9)))
    _, (train,) = verified(tmp_path, train=[pairs(path)])
    assert len(train["missing_images"]) == 9
    said = capsys.readouterr().out
    assert "missing4.png" in said and "missing5.png" not in said and "missing 4 more" in said


def test_a_split_without_annotations_does_not_keep_the_others_from_being_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_pairs(tmp_path / "data", "a.png")
    (tmp_path / "broken.jsonl").write_text("{\n")
    absent = tmp_path / "data/val.jsonl"
    no_folder = {
        "_target_": f"{READERS}.nlvr2.Nlvr2Statements",
        "annotation_file": str(path),
        "image_folder": str(tmp_path / "images"),
    }
    further = {"test": pairs(path), "broken": pairs(tmp_path / "broken.jsonl"), "folder": no_folder}
    status, splits = verified(tmp_path, train=[pairs(path)], val=pairs(absent), splits=further)
    assert status == 1
    assert [(split["split"], split["status"]) for split in splits] == [
        ("train", "complete"),
        ("val", "annotations missing"),
        ("test", "complete"),
        ("broken", "cannot be read"),
        ("folder", "folder missing"),
    ]
    assert splits[1]["problem"] == str(absent) and splits[4]["problem"] == str(tmp_path / "images")
    assert f"data/val.jsonl (val): annotations missing: {absent}" in capsys.readouterr().out


def test_real_splits_that_a_data_set_need_not_have(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    refer = {
        "_target_": f"{READERS}.refer.ReferExpressions",
        "folder": str(mini / "refcoco"),
        "image_folder": str(mini / "coco/train2014"),
    }
    test_a = refer | {"split": "testA"}
    status, (train, test) = verified(tmp_path, train=[test_a], splits={"test": refer | {"split": "test"}})
    assert (status, train["samples"], train["images"], test["status"]) == (0, 14, 1, "no such split")
    assert verified(tmp_path, train=[refer | {"split": "test"}])[0] == 1


def test_both_images_of_real_statements_count(shared: Path, tmp_path: Path) -> None:
    nlvr2 = shared / "data/mini/nlvr2"
    dev = {"_target_": f"{READERS}.nlvr2.Nlvr2Statements", "annotation_file": str(nlvr2 / "data/dev.json")}
    status, (train,) = verified(tmp_path, train=[dev | {"image_folder": str(nlvr2)}])
    assert (status, train["samples"], train["images"], train["found"]) == (0, 8, 8, 8)
    (tmp_path / "dev").mkdir()
    status, (train,) = verified(tmp_path, train=[dev | {"image_folder": str(tmp_path)}])
    assert (status, train["found"], train["missing"]) == (1, 0, 8)


def test_images_in_tables_are_found_if_they_decode(tmp_path: Path) -> None:
    (path,) = write_pairs(tmp_path / "data", "a.png", "cut.png").parent.glob("a.png")
    contents = [path.read_bytes(), path.with_name("cut.png").read_bytes()]
    table = pa.table({"image": contents, "caption": [["a"], ["b"]], "image_id": ["1", "2"]})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    arrow = {"_target_": f"{READERS}.arrow.ArrowPairs", "paths": [str(tmp_path / "a.arrow")]}
    status, (train,) = verified(tmp_path, train=[arrow])
    assert (status, train["images"], train["found"]) == (1, 2, 1)
    assert train["unreadable_images"] == [f"{tmp_path / 'a.arrow'}:1"]


def test_a_changed_shard_is_damage(tmp_path: Path) -> None:
    reader = JsonlPairs(str(write_pairs(tmp_path / "data", "a.png", "b.png")))
    pack_shards(reader, tmp_path / "packed", limits=ShardLimits(1, None))
    packed = {"_target_": f"{READERS}.packed.read_packed", "folder": str(tmp_path / "packed"), "max_lost": 0.9}
    status, (train,) = verified(tmp_path, train=[packed])
    assert (status, train["images"], train["found"]) == (0, 2, 2)
    shard = tmp_path / "packed/000001.tar"
    content = bytearray(shard.read_bytes())
    content[600] ^= 1
    shard.write_bytes(content)
    status, (train,) = verified(tmp_path, train=[packed])
    assert (status, train["status"]) == (1, "shards damaged") and str(shard) in train["problem"]
    shard.unlink()
    assert verified(tmp_path, train=[packed], decode=False)[1][0]["problem"] == f"{shard} is missing"


@pytest.mark.parametrize("decode", [True, False])
def test_an_image_that_was_missing_when_packed_is_missing(tmp_path: Path, decode: bool) -> None:
    reader = JsonlPairs(str(write_pairs(tmp_path / "data", "a.png", "missing.png", "cut.png")))
    pack_shards(reader, tmp_path / "packed", limits=ShardLimits(5, None), max_broken=0.5)
    packed = {"_target_": f"{READERS}.packed.read_packed", "folder": str(tmp_path / "packed")}
    status, (train,) = verified(tmp_path, train=[packed], decode=decode)
    assert (status, train["images"], train["missing"], train["unreadable"]) == (1, 3, 1, int(decode))
    assert train["missing_images"] == [read_packed(packed["folder"]).location(1)]


def detection(folder: Path, *annotations: dict[str, Any]) -> dict[str, Any]:
    """A reader of one image of 40 pixels with objects."""
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 40}],
        "annotations": [{"id": number, "category_id": 1, **one} for number, one in enumerate(annotations)],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (folder / "boxes.json").write_text(json.dumps(content))
    places = {"annotation_file": str(folder / "boxes.json"), "image_folder": str(folder)}
    return {"_target_": f"{READERS}.coco_detection.CocoDetection", **places}


def test_annotations_of_images_that_a_file_does_not_list_are_counted(tmp_path: Path) -> None:
    write_pairs(tmp_path / "data", "a.png")
    box = {"image_id": 1, "bbox": [1, 1, 9, 9]}
    boxes = detection(tmp_path / "data", box, box | {"image_id": 2}, box | {"image_id": 3})
    unlisted = {"an annotation of an image that the file does not list": 2}
    assert [split["left_out"] for split in verified(tmp_path, train=[boxes], val=boxes)[1]] == [unlisted] * 2
    captions = {"images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 40, "caption": "a cat"}]}
    spans = {"tokens_positive": [[2, 5]], "category_id": 1}
    captions["annotations"] = [box | spans | {"id": 1}, box | spans | {"id": 2, "image_id": 2}]  # type: ignore[dict-item]
    (tmp_path / "data/spans.json").write_text(json.dumps(captions))
    places = {"annotation_file": str(tmp_path / "data/spans.json"), "vg_image_folder": str(tmp_path / "data")}
    reader = MdetrGrounding(image_folder=str(tmp_path / "data"), **places)
    assert left_out(reader, training=False) == {"an annotation of an image that the file does not list": 1}


def test_boxes_of_crowds_are_not_cleaned(tmp_path: Path) -> None:
    write_pairs(tmp_path / "data", "a.png")
    inside, outside = {"image_id": 1, "bbox": [1, 1, 9, 9]}, {"image_id": 1, "bbox": [50, 50, 9, 9]}
    crowded = detection(tmp_path / "data", inside, outside | {"iscrowd": 1})
    assert verified(tmp_path, train=[crowded])[1][0]["left_out"] == {}
    single = detection(tmp_path / "data", inside, outside)
    assert verified(tmp_path, train=[single])[1][0]["left_out"] == {"a box outside of its image": 1}


def test_what_training_passes_over_is_counted_and_no_reason_to_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pairs(tmp_path / "data", "a.png")
    lines = [
        {"caption": "a cat", "phrases": [{"text": "cat", "boxes": [[0, 0, 9, 9], [50, 50, 60, 60], [3, 3, 3, 9]]}]},
        {"caption": "a dog", "phrases": [{"span": [2, 9], "boxes": [[0, 0, 9, 9]]}]},
        {"caption": " ", "phrases": []},
    ]
    path = tmp_path / "data/phrases.jsonl"
    path.write_text("".join(json.dumps(one | {"image": "a.png", "width": 40, "height": 40}) + "\n" for one in lines))
    phrases = {"_target_": f"{READERS}.grounding_jsonl.GroundingJsonl", "path": str(path)}
    status, (train, val) = verified(tmp_path, train=[phrases], val=phrases)
    assert status == 0 and val["left_out"] == {}
    assert train["left_out"] == {
        "a box outside of its image": 1,
        "a box that no words name": 1,
        "a box without area": 1,
        "a phrase outside of its caption": 1,
        "an image whose caption is empty": 1,
    }
    assert "phrases.jsonl (train): left out 1 times a box without area" in capsys.readouterr().out
    path.write_text(json.dumps(lines[0] | {"image": "a.png"}) + "\n")  # of unknown size
    assert left_out(GroundingJsonl(str(path)), training=True) == {"a box without area": 1}


def test_blank_captions_are_counted(tmp_path: Path) -> None:
    write_pairs(tmp_path / "data", "a.png", "b.png")
    images = [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate("ab")]
    captions = [{"image_id": 0, "caption": "a thing"}, {"image_id": 1, "caption": " "}]
    (tmp_path / "captions.json").write_text(json.dumps({"images": images, "annotations": captions}))
    coco = {
        "_target_": f"{READERS}.coco_captions.CocoCaptions",
        "annotation_file": str(tmp_path / "captions.json"),
        "image_folder": str(tmp_path / "data"),
    }
    assert verified(tmp_path, train=[coco])[1][0]["left_out"] == {"an image all of whose captions are blank": 1}


def test_wrong_options_end_in_one_message(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "data", "a.png")
    with pytest.raises(UserError, match="decode='perhaps': give bool"):
        verified(tmp_path, train=[pairs(path)], decode="perhaps")
    missing_key = configured(tmp_path, train=[pairs(path) | {"path": "${task.name}.jsonl"}], val=[])
    with pytest.raises(UserError, match=r"'task\.name' not found: give the value on the command line"):
        verify_data(missing_key)


def test_splits_that_need_not_be_there_may_lack_their_annotations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, absent = write_pairs(tmp_path / "data", "a.png"), tmp_path / "data/test.jsonl"
    status, splits = verified(tmp_path, train=[pairs(path)], splits={"test": pairs(absent)})
    assert (status, splits[1]["status"]) == (0, "no such split")
    assert f"data/test.jsonl (test): no such split: {absent}\n" in capsys.readouterr().out
    assert verified(tmp_path, train=[pairs(absent)])[0] == 1


def test_the_same_images_under_two_names_of_a_split_are_one_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_pairs(tmp_path / "data", "a.png", "missing.png")
    other = write_pairs(tmp_path / "other", "a.png", "missing.png")
    splits = {"valid": pairs(path), "test": pairs(other)}
    assert len(verified(tmp_path, train=[pairs(path)], val=pairs(path), splits=splits)[1]) == 4
    said = capsys.readouterr()
    assert "pairs.jsonl (train, val, valid): missing" in said.out and "pairs.jsonl (test): missing" in said.out
    assert said.err == ""  # no bars, which would leave blank lines


def test_data_that_cannot_be_read_are_shown_by_their_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raccoons = {"_target_": f"{READERS}.odinw.OdinwDetection", "root": str(tmp_path), "dataset": "Raccoon"}
    raccoons |= {"split": "valid"}
    boxes = {"_target_": f"{READERS}.custom_boxes.custom_boxes", "data_dir": str(tmp_path), "split": "val"}
    verified(tmp_path, train=[raccoons | {"split": "train"}], val=[boxes, raccoons], splits={"valid": raccoons})
    said = capsys.readouterr().out
    assert re.search(r"^Raccoon \(train\): annotations missing: .*/train/_annotations\.coco\.json$", said, re.M)
    assert re.search(r"^Raccoon \(val, valid\): annotations missing: .*/valid/_annotations", said, re.M)
    assert re.search(rf"{tmp_path.name} \(val\): annotations missing: .*/val/_annotations\.coco\.json$", said, re.M)


def test_an_image_in_two_shards_counts_once(tmp_path: Path) -> None:
    reader = JsonlPairs(str(write_pairs(tmp_path / "data", "a.png", "b.png", "a.png", "cut.png", "cut.png")))
    pack_shards(reader, tmp_path / "packed", limits=ShardLimits(2, None))
    packed = {"_target_": f"{READERS}.packed.read_packed", "folder": str(tmp_path / "packed")}
    _, (train,) = verified(tmp_path, train=[packed])
    assert (train["samples"], train["images"], train["found"], train["unreadable"]) == (5, 3, 2, 1)


def test_shards_of_another_kind_than_the_data_file_reads_are_wrong(tmp_path: Path) -> None:
    reader = JsonlPairs(str(write_pairs(tmp_path / "data", "a.png")))
    for split in ("train", "val"):
        pack_shards(reader, tmp_path / split, limits=ShardLimits(2, None))
    written = tmp_path / "found.json"
    options = ("verify", f"data_dir={tmp_path}", f"output={written}", "num_workers=1")
    assert prepare_data(composed(*options, "data=packed")) == 0
    assert prepare_data(composed(*options, "data=packed_boxes")) == 1
    train = json.loads(written.read_text())["splits"][0]
    assert train["status"] == "cannot be read"
    assert train["problem"].endswith("holds captions or statements, while the data file reads boxes: give data=packed.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=coco", "data_dir=/nope"], "data_dir=/nope does not exist: give the folder of the data sets"),
        (["data=coco", "split=val"], "split=val is no option of verify: leave it out"),
        (["data=coco", "num_workers=-1"], "num_workers=-1: give 1 or more"),
        (["data=coco", "output=."], r"output=\. is a folder: give the name of a file"),
        (["data=coco", "output=/proc/nope/found.json"], r"output=/proc/nope/found\.json cannot be written"),
    ],
)
def test_wrong_commands_end_in_one_message(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare_data(composed("verify", *arguments))
