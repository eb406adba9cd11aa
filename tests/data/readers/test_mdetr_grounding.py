"""MDETR's captions with boxes: real samples, phrases by spans, and files that are not what they should be."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from fiber.data.readers.mdetr_grounding import MdetrGrounding, MdetrReferring
from fiber.data.records import Box, GroundedCaption, Phrase, Span
from fiber.utils.errors import UserError

Json = dict[str, Any]
CAPTION = "Two men hold a red ball near the beach ."
MEN, BALL = [0, 7], [13, 23]


def phrase(spans: list[list[int]], *boxes: Box) -> Phrase:
    return Phrase(tuple((begin, end) for begin, end in spans), boxes)


def small_file() -> Json:
    """One caption of two men and a ball, and one without boxes."""
    box = {"image_id": 1, "category_id": 1, "area": 1.0, "iscrowd": 0}
    return {
        "images": [
            {"id": 2, "file_name": "b.jpg", "caption": "", "height": 6, "width": 5},
            {"id": 1, "file_name": "a.jpg", "caption": CAPTION, "height": "80", "width": "100"},
        ],
        "annotations": [
            {**box, "id": 1, "bbox": [0, 0, 20, 40], "tokens_positive": [MEN]},
            {**box, "id": 2, "bbox": [60, 60, 60, 60], "tokens_positive": [BALL]},
            {**box, "id": 3, "bbox": [30, 0, 20, 40], "tokens_positive": [MEN]},
            {**box, "id": 4, "bbox": [1, 2, 3, 4], "tokens_positive": [BALL, MEN]},
            {**box, "id": 5, "bbox": [9, 9, 9, 9], "tokens_positive": [MEN], "iscrowd": 1},
        ],
        "categories": [],
    }


def read(folder: Path, content: Any, **options: Any) -> MdetrGrounding:
    path = folder / "mixed.json"
    path.write_text(json.dumps(content))
    return MdetrGrounding(str(path), **{"image_folder": str(folder), **options})


@pytest.mark.parametrize(
    ("file", "images", "captions", "boxes"),
    [
        ("derived_grounding/mixed_train.json", "coco/train2017", 179, 411),
        ("derived_grounding/mixed_val.json", "coco/val2017", 231, 527),
        ("derived_grounding/flickr_separateGT_train.json", "coco/train2017", 179, 411),
        ("derived_grounding/flickr_separateGT_val.json", "coco/val2017", 231, 527),
        ("mdetr_annotations/finetune_refcoco_testA.json", "coco/train2014", 14, 14),
    ],
)
def test_real_files(shared: Path, file: str, images: str, captions: int, boxes: int) -> None:
    mini = shared / "data/mini"
    reader = pickle.loads(pickle.dumps(MdetrGrounding(str(mini / file), image_folder=str(mini / images))))
    content = json.loads((mini / file).read_text())
    grounded = [reader.grounded_caption(index) for index in range(len(reader))]
    assert (len(reader), sum(len(one.boxes) for item in grounded for one in item.phrases)) == (captions, boxes)
    for index, image in enumerate(content["images"]):
        assert (reader.image_id(index), grounded[index].text) == (str(image["id"]), image["caption"])
        found: set[tuple[Span, Box]] = {(s, b) for one in grounded[index].phrases for s in one.spans for b in one.boxes}
        expected = {
            (tuple(span), (x, y, x + width, y + height))
            for annotation in content["annotations"]
            if annotation["image_id"] == image["id"]
            for span in annotation["tokens_positive"]
            for x, y, width, height in [annotation["bbox"]]
        }
        assert found == expected
    assert reader.load_image(0).size[::-1] == tuple(reader.sizes()[0])
    assert list(reader.texts()) == [image["caption"] for image in content["images"]]


def test_judged_phrases_of_a_real_file_are_in_sentence_order(shared: Path) -> None:
    mini = shared / "data/mini"
    file = mini / "derived_grounding/flickr_separateGT_val.json"
    reader = MdetrGrounding(str(file), image_folder=str(mini / "coco/val2017"), evaluate=True)
    for index, image in enumerate(json.loads(file.read_text())["images"]):
        phrases = reader.grounded_caption(index).phrases
        assert [[list(span) for span in one.spans] for one in phrases] == image["tokens_positive_eval"]
        assert all(one.boxes for one in phrases)


def test_boxes_of_the_same_characters_are_one_phrase(tmp_path: Path) -> None:
    reader = read(tmp_path, small_file())
    assert reader.grounded_caption(0) == GroundedCaption(
        CAPTION,
        (
            phrase([MEN], (0, 0, 20, 40), (30, 0, 50, 40)),
            phrase([BALL], (60, 60, 120, 120)),
            phrase([MEN, BALL], (1, 2, 4, 6)),
        ),
    )
    assert reader.grounded_caption(1) == GroundedCaption("", ())
    assert reader.sizes().tolist() == [[80, 100], [6, 5]]


def test_judged_phrases_take_every_box_that_shares_a_span(tmp_path: Path) -> None:
    content = small_file()
    content["images"][1]["tokens_positive_eval"] = [[BALL], [[31, 36]], [MEN, [99, 100]]]
    assert read(tmp_path, content, evaluate=True).grounded_caption(0).phrases == (
        phrase([BALL], (60, 60, 120, 120), (1, 2, 4, 6)),
        phrase([[31, 36]]),
        phrase([MEN, [99, 100]], (0, 0, 20, 40), (30, 0, 50, 40), (1, 2, 4, 6)),
    )
    assert len(read(tmp_path, content).grounded_caption(0).phrases) == 3
    assert read(tmp_path, content).grounded_caption(0).phrases[0].spans == ((0, 7),)


def test_files_without_judged_phrases_are_judged_by_their_boxes(tmp_path: Path) -> None:
    plain = read(tmp_path, small_file())
    assert read(tmp_path, small_file(), evaluate=True).grounded_caption(0) == plain.grounded_caption(0)


def test_tokens_go_before_tokens_positive(tmp_path: Path) -> None:
    content = small_file()
    content["annotations"] = [{**content["annotations"][0], "tokens": [[31, 36]]}]
    assert read(tmp_path, content).grounded_caption(0).phrases == (phrase([[31, 36]], (0, 0, 20, 40)),)


def test_images_lie_where_their_source_says(tmp_path: Path) -> None:
    content = small_file()
    content["images"][0]["data_source"], content["images"][1]["data_source"] = "vg", "coco"
    (tmp_path / "vg").mkdir()
    reader = read(tmp_path, content, vg_image_folder=str(tmp_path / "vg"))
    assert [reader.location(index) for index in range(2)] == [str(tmp_path / "a.jpg"), str(tmp_path / "vg/b.jpg")]
    with pytest.raises(UserError, match=r"mixed\.json names images of vg: set vg_image_folder"):
        read(tmp_path, content)
    with pytest.raises(UserError, match=r"absent is no folder: expected the Visual Genome images of mixed\.json"):
        read(tmp_path, content, vg_image_folder=str(tmp_path / "absent"))
    content["images"][1]["data_source"] = "vg"
    only = read(tmp_path, content, image_folder=str(tmp_path / "absent"), vg_image_folder=str(tmp_path / "vg"))
    assert only.location(0) == str(tmp_path / "vg/a.jpg")


@pytest.mark.parametrize(
    ("entry", "key", "value", "message"),
    [
        (("images", 1), "caption", 3, "the caption of image 1 is no text"),
        (("images", 1), "tokens_positive_eval", [[0, 7]], "tokens_positive_eval of image 1 is not"),
        (("annotations", 1), "tokens_positive", [[0, 7, 9]], r"annotation 2 has no tokens_positive \[\[begin, end\]"),
        (("annotations", 1), "tokens_positive", None, "annotation 2 has no tokens_positive"),
        (("annotations", 1), "bbox", "0 0 1 1", r"annotation 2 of image 1 has no bbox \[x, y, w, h\]"),
    ],
)
def test_faults_are_named(tmp_path: Path, entry: tuple[str, int], key: str, value: Any, message: str) -> None:
    content = small_file()
    content[entry[0]][entry[1]][key] = value
    with pytest.raises(UserError, match=message):
        read(tmp_path, content)


def test_coco_instances_are_not_taken_for_captions(tmp_path: Path) -> None:
    content = small_file()
    del content["images"][0]["caption"]
    with pytest.raises(UserError, match="image 2 lacks caption: expected MDETR's annotations"):
        read(tmp_path, content)


def referring_file(**changes: Any) -> Json:
    """Two expressions, the second of a crowd."""
    images = [
        {"id": number, "file_name": "a.jpg", "caption": caption, "dataset_name": "refcoco+", "original_id": 9}
        for number, caption in enumerate(["red ball on the left", "the crowd"])
    ]
    boxes = [
        {"id": 0, "image_id": 0, "bbox": [1, 2, 3, 4], "tokens_positive": [[0, 8]], "iscrowd": 0},
        {"id": 1, "image_id": 1, "bbox": [5, 6, 7, 8], "tokens_positive": [[0, 9]], "iscrowd": 1},
    ]
    return {"images": images, "annotations": boxes, "categories": []} | changes


def read_referring(folder: Path, content: Json, **options: Any) -> MdetrReferring:
    path = folder / "finetune.json"
    path.write_text(json.dumps(content))
    return MdetrReferring(str(path), image_folder=str(folder), **options)


def test_real_expressions_name_one_object_each(shared: Path) -> None:
    mini = shared / "data/mini"
    file = mini / "mdetr_annotations/finetune_refcoco_testA.json"
    reader = MdetrReferring(str(file), image_folder=str(mini / "coco/train2014"))
    assert (reader.dataset, len(reader)) == ("refcoco", 14)
    assert all(len(phrase.boxes) == 1 for index in range(14) for phrase in reader.grounded_caption(index).phrases)
    assert pickle.loads(pickle.dumps(reader)).load_image(3).size == (321, 480)


def test_an_expression_keeps_the_spans_of_its_file_and_may_name_a_crowd(tmp_path: Path) -> None:
    reader = read_referring(tmp_path, referring_file())
    assert [reader.grounded_caption(index).phrases for index in range(2)] == [
        (phrase([[0, 8]], (1, 2, 4, 6)),),
        (phrase([[0, 9]], (5, 6, 12, 14)),),
    ]
    assert reader.dataset == "refcoco+"
    plain = MdetrGrounding(str(tmp_path / "finetune.json"), image_folder=str(tmp_path))
    assert plain.grounded_caption(1).phrases == ()


def test_expressions_without_exactly_one_box_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"finetune\.json: image 1 has 0 boxes: an expression names one object"):
        read_referring(tmp_path, referring_file(annotations=referring_file()["annotations"][:1]))
    twice = [*referring_file()["annotations"], referring_file()["annotations"][0] | {"id": 2}]
    with pytest.raises(UserError, match="image 0 has 2 boxes"):
        read_referring(tmp_path, referring_file(annotations=twice))


def test_the_benchmark_must_be_named_where_the_file_does_not(tmp_path: Path) -> None:
    content = referring_file()
    content["images"][1]["dataset_name"] = "refcocog"
    with pytest.raises(UserError, match=r"dataset_name is refcoco\+, refcocog: set dataset, say to refcoco\+"):
        read_referring(tmp_path, content)
    for image in content["images"]:
        del image["dataset_name"]
    with pytest.raises(UserError, match="dataset_name is none: set dataset"):
        read_referring(tmp_path, content)
    assert read_referring(tmp_path, content, dataset="refcocog").dataset == "refcocog"


def test_annotations_of_unlisted_captions_are_left_out_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = small_file()
    content["annotations"][0]["image_id"] = 77
    read(tmp_path, content)
    assert caplog.messages == [
        f"1 of 5 annotations are of 1 images that {tmp_path / 'mixed.json'} does not list; they are left out"
    ]
