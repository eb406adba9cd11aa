"""REFER's files: real samples, the choice of files, and pickles that are not what they should be."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from fiber.data.readers.mdetr_grounding import MdetrReferring
from fiber.data.readers.refer import ReferExpressions
from fiber.data.records import GroundedCaption, Phrase
from fiber.utils.errors import UserError


def reference(number: int, split: str, *sentences: str, **changes: Any) -> dict[str, Any]:
    return {
        "ref_id": number,
        "ann_id": 10 + number,
        "image_id": 7,
        "split": split,
        "file_name": f"COCO_train2014_000000000007_{number}.jpg",
        "sentences": [
            {"sent_id": 10 * number + place, "sent": sent, "raw": f"{sent}!"} for place, sent in enumerate(sentences)
        ],
        **changes,
    }


REFERENCES = [
    reference(1, "train", "left cat"),
    reference(2, "testA", "red ball", ""),
    reference(3, "testA", "man on the right"),
]
INSTANCES = {
    "images": [{"id": 7, "file_name": "COCO_train2014_000000000007.jpg", "height": 60, "width": 80}],
    "annotations": [
        {"id": 10 + number, "image_id": 7, "category_id": 1, "bbox": [number, 2, 3.5, 4], "iscrowd": number == 3}
        for number in (1, 2, 3)
    ],
    "categories": [{"id": 1, "name": "thing"}],
}


def write(folder: Path, content: Any = REFERENCES, *, split_by: str = "unc", instances: Any = INSTANCES) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"refs({split_by}).p").write_bytes(pickle.dumps(content, protocol=2))
    (folder / "instances.json").write_text(json.dumps(instances))


def read(folder: Path, split: str = "testA", **options: Any) -> ReferExpressions:
    return ReferExpressions(str(folder), image_folder=str(folder), split=split, **options)


def test_real_refcoco_agrees_with_its_json_and_with_mdetr(shared: Path) -> None:
    mini = shared / "data/mini"
    images = str(mini / "coco/train2014")
    reader = ReferExpressions(str(mini / "refcoco"), image_folder=images, split="testA")
    listed = json.loads((mini / "refcoco/refs(unc).json").read_text())
    expressions = [sentence["sent"] for one in listed for sentence in one["sentences"]]
    assert (reader.dataset, reader.name, len(reader)) == ("refcoco", "refcoco testA", 14)
    assert list(reader.texts()) == expressions
    annotations = mini / "mdetr_annotations/finetune_refcoco_testA.json"
    published = MdetrReferring(str(annotations), image_folder=images)
    for index in range(14):
        assert reader.grounded_caption(index) == published.grounded_caption(index)
        assert reader.location(index) == published.location(index)
    assert reader.sizes().tolist() == published.sizes().tolist() == [[480, 321]] * 14
    assert pickle.loads(pickle.dumps(reader)).load_image(13).size == (321, 480)


def test_every_sentence_is_a_sample_with_the_whole_expression_as_its_phrase(tmp_path: Path) -> None:
    write(tmp_path / "refcoco+")
    reader = read(tmp_path / "refcoco+")
    phrases = [Phrase(((0, length),), ((number, 2, number + 3.5, 6),)) for length, number in [(8, 2), (1, 2), (16, 3)]]
    texts = ["red ball", "!", "man on the right"]  # of the second nothing is left by REFER's cleaning
    assert [reader.grounded_caption(index) for index in range(3)] == [
        GroundedCaption(text, (phrase,)) for text, phrase in zip(texts, phrases, strict=True)
    ]
    assert [reader.image_id(index) for index in range(3)] == ["20", "21", "30"]
    assert reader.location(0) == str(tmp_path / "refcoco+/COCO_train2014_000000000007.jpg")
    assert (reader.dataset, read(tmp_path / "refcoco+", dataset="mine").dataset) == ("refcoco+", "mine")
    assert read(tmp_path / "refcoco+", "train").grounded_caption(0).text == "left cat"


def test_the_refs_file_is_that_of_the_published_figures_unless_named(tmp_path: Path) -> None:
    write(tmp_path, [reference(1, "testA", "google")], split_by="google")
    assert read(tmp_path).grounded_caption(0).text == "google"
    write(tmp_path, [reference(1, "testA", "umd")], split_by="umd")
    assert read(tmp_path).grounded_caption(0).text == "umd"
    write(tmp_path, [reference(1, "testA", "unc")])
    assert read(tmp_path).grounded_caption(0).text == "unc"
    assert read(tmp_path, split_by="google").grounded_caption(0).text == "google"
    with pytest.raises(UserError, match="split_by=ucn is none of the refs files there: choose google or umd or unc"):
        read(tmp_path, split_by="ucn")


def test_an_unknown_split_is_answered_with_those_present(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(UserError, match=r"refs\(unc\)\.p: split=test does not occur: choose from testA, train"):
        read(tmp_path, "test")


class Call:
    """Would run when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_pickles_cannot_run_code(tmp_path: Path) -> None:
    write(tmp_path, [Call(tmp_path / "ran")])
    with pytest.raises(UserError, match=r"refs\(unc\)\.p cannot be read \(it asks for .*mkdir, but only plain data"):
        read(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_python_2_text_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    latin = b"(lp0\n(dp1\nS'ref_id'\nI1\nsS'ann_id'\nI11\nsS'image_id'\nI7\nsS'split'\nS'val'\nsS'sentences'\n(lp2\n"
    latin += b"(dp3\nS'sent_id'\nI5\nsS'sent'\nS'caf\\xe9 table'\nsasa."
    (tmp_path / "refs(unc).p").write_bytes(latin)
    assert read(tmp_path, "val").grounded_caption(0).text == "caf\u00e9 table"


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(REFERENCES)[:-20]])
def test_damaged_pickles_are_named(tmp_path: Path, content: bytes) -> None:
    write(tmp_path)
    (tmp_path / "refs(unc).p").write_bytes(content)
    with pytest.raises(UserError, match=r"refs\(unc\)\.p cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "is of another format: expected REFER's list"),
        ([{"ref_id": 1}], "entry 0 lacks one of ann_id, image_id, ref_id, sentences, split"),
        ([reference(4, "testA", sentences=[{"sent": "a"}])], "a sentence of ref_id 4 lacks sent_id or sent"),
        ([reference(1, "testA", sentences=[{"sent": " ", "sent_id": 5}])], "the sentence 5 is blank"),
        (
            [reference(4, "testA", "a")],
            r"instances\.json lacks the object 14 or the image 7 of refs\(unc\)\.p's ref_id 4",
        ),
        ([reference(1, "testA", "a", image_id=8)], "lacks the object 11 or the image 8"),
    ],
)
def test_faults_are_named(tmp_path: Path, content: Any, message: str) -> None:
    write(tmp_path, content)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent is no folder"):
        read(tmp_path / "absent")
    with pytest.raises(UserError, match="holds no refs file"):
        read(tmp_path)
    write(tmp_path)
    with pytest.raises(UserError, match="nowhere is no folder: expected the images of"):
        ReferExpressions(str(tmp_path), image_folder=str(tmp_path / "nowhere"), split="testA")
    (tmp_path / "instances.json").unlink()
    with pytest.raises(UserError, match=r"instances\.json does not exist"):
        read(tmp_path)


def test_a_new_instances_file_is_noticed(tmp_path: Path) -> None:
    write(tmp_path)
    read(tmp_path)
    moved = json.loads(json.dumps(INSTANCES))
    moved["annotations"][1]["bbox"] = [50, 50, 10, 10]
    write(tmp_path, instances=moved)
    assert read(tmp_path).grounded_caption(0).phrases[0].boxes == ((50, 50, 60, 60),)
