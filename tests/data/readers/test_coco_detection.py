"""Boxes in COCO's layout: COCO and LVIS, real samples and files that are not what they should be."""

import contextlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.lvis_detection import LvisDetection
from fiber.data.readers.task_readers import DetectionReader
from fiber.data.records import LabeledBox
from fiber.utils.errors import UserError

Json = dict[str, Any]


def box(number: int, image: int, category: int, bbox: list[float], **more: Any) -> Json:
    return {"id": number, "image_id": image, "category_id": category, "bbox": bbox, **more}


def small_file() -> Json:
    """Five images, out of order, of which 1 is empty, 2 has specks only, 5 a crowd only."""
    return {
        "images": [
            {"id": 9, "file_name": "sub/9.png", "height": 100, "width": 80},
            {"id": 1, "file_name": "1.png", "height": "30", "width": "40"},
            {"id": 2, "file_name": "2.png"},
            {"id": 5, "file_name": "5.png", "height": 5, "width": None},
            {"id": 3, "file_name": "3.png", "height": 7, "width": 6},
        ],
        "annotations": [
            box(1, 9, 7, [10, 20, 50, 70], area=1234.5),
            box(2, 9, 4, [-5, 20, 165, 70], iscrowd=0),
            box(3, 2, 7, [3, 4, 1, 50]),
            box(4, 2, 7, [3, 4, 50, 0.5]),
            box(5, 5, 4, [0, 0, 4, 4], iscrowd=1),
            box(6, 3, 7, [1, 1, 0, 9]),
            box(7, 3, 7, [1.5, 1, 2, 2]),
            box(8, 77, 7, [0, 0, 9, 9]),
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 4, "name": "dog"}, {"id": 11, "name": "owl"}],
    }


def write(folder: Path, content: Any, name: str = "instances.json") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return str(path)


def read(folder: Path, content: Any, **options: Any) -> CocoDetection:
    return CocoDetection(write(folder, content), image_folder=str(folder), **options)


def totals(reader: DetectionReader) -> tuple[int, int, int]:
    """Images, boxes, crowds."""
    objects = [item for index in range(len(reader)) for item in reader.objects(index)]
    return len(reader), len(objects), sum(item.is_crowd for item in objects)


@pytest.mark.parametrize(("split", "expected"), [("train", (60, 566, 7)), ("val", (58, 489, 5))])
def test_real_coco_instances(shared: Path, split: str, expected: tuple[int, int, int]) -> None:
    coco = shared / "data/mini/coco"
    file = coco / f"annotations/instances_{split}2017.json"
    reader = pickle.loads(pickle.dumps(CocoDetection(str(file), image_folder=str(coco / f"{split}2017"))))
    content = json.loads(file.read_text())
    assert totals(reader) == expected
    assert (len(reader.classes), reader.classes[0], reader.category_ids[-1]) == (80, "person", 90)
    images = sorted(content["images"], key=lambda image: int(image["id"]))
    assert [reader.image_id(index) for index in range(len(reader))] == [str(image["id"]) for image in images]
    assert [tuple(size) for size in reader.sizes()] == [reader.load_image(i).size[::-1] for i in range(len(reader))]
    for index, image in enumerate(images):
        annotations = [one for one in content["annotations"] if one["image_id"] == image["id"]]
        for item, one in zip(reader.objects(index), annotations, strict=True):
            x, y, width, height = one["bbox"]
            assert item.box == (x, y, x + width, y + height)
            assert reader.category_ids[item.class_index] == one["category_id"]
            assert (item.is_crowd, item.area) == (bool(one["iscrowd"]), one["area"])


def test_boxes_are_returned_as_annotated(tmp_path: Path) -> None:
    reader = read(tmp_path, small_file(), training=False)
    assert [reader.image_id(index) for index in range(len(reader))] == ["1", "2", "3", "5", "9"]
    assert (reader.classes, reader.category_ids) == (("dog", "cat", "owl"), (4, 7, 11))
    assert reader.objects(0) == []
    assert reader.objects(2) == [LabeledBox((1, 1, 1, 10), 1), LabeledBox((1.5, 1, 3.5, 3), 1)]
    assert reader.objects(3) == [LabeledBox((0, 0, 4, 4), 0, is_crowd=True)]
    assert reader.objects(4) == [LabeledBox((10, 20, 60, 90), 1, area=1234.5), LabeledBox((-5, 20, 160, 90), 0)]
    assert reader.location(4) == str(tmp_path / "sub/9.png")
    assert list(reader.texts()) == ["dog. cat. owl"]


def test_sizes_are_those_of_the_annotations(tmp_path: Path) -> None:
    sizes = read(tmp_path, small_file(), training=False).sizes()
    assert sizes.tolist() == [[30, 40], [0, 0], [7, 6], [0, 0], [100, 80]]
    assert sizes.dtype == np.int64


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["1", "3", "5", "9"]),
        ({"keep_empty": False}, ["3", "5", "9"]),
        ({"training": False}, ["1", "2", "3", "5", "9"]),
    ],
)
def test_training_leaves_out_images_of_specks(tmp_path: Path, options: Json, expected: list[str]) -> None:
    reader = read(tmp_path, small_file(), **options)
    assert [reader.image_id(index) for index in range(len(reader))] == expected


@pytest.mark.parametrize(
    ("categories", "classes"),
    [
        ([{"id": 0, "name": "pets", "supercategory": "none"}, {"id": 1, "name": "cat", "supercategory": "pets"}], [1]),
        ([{"id": 0, "name": "__background__"}, {"id": 1, "name": "cat"}], [1]),
        ([{"id": 0, "name": "dog", "supercategory": "none"}, {"id": 1, "name": "cat"}], [0, 1]),
        ([{"id": 1, "name": "cat"}, {"id": 0, "name": "dog", "supercategory": "cat"}], [0, 1]),
        ([{"id": 2, "name": "pets"}, {"id": 1, "name": "cat", "supercategory": "pets"}], [1, 2]),
    ],
)
def test_the_background_is_no_class(tmp_path: Path, categories: list[Json], classes: list[int]) -> None:
    content = {"images": small_file()["images"], "annotations": [box(1, 9, 1, [0, 0, 5, 5])], "categories": categories}
    reader = read(tmp_path, content)
    assert list(reader.category_ids) == classes
    assert reader.category_ids[reader.objects(len(reader) - 1)[0].class_index] == 1


def test_a_class_with_boxes_is_no_group(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "pets"}, {"id": 1, "name": "cat", "supercategory": "pets"}]
    content = {"images": small_file()["images"], "annotations": [box(1, 9, 0, [0, 0, 5, 5])], "categories": categories}
    assert read(tmp_path, content).classes == ("pets", "cat")


def test_images_to_be_judged_elsewhere_need_no_boxes(tmp_path: Path) -> None:
    content = small_file()
    del content["annotations"]
    assert totals(read(tmp_path, content, training=False)) == (5, 0, 0)
    with pytest.raises(UserError, match=r"instances\.json has no image with boxes to train on"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (("categories", 1), {"id": 4, "name": None}, r"instances\.json: category 4 has no name"),
        (("categories", 1), {"id": 7, "name": "dog"}, "holds the category id 7 twice"),
        (("categories", 1), {"name": "dog"}, "the category 'dog' has no whole number as id"),
        (("images", 1), {"id": 9, "file_name": "x"}, "holds the image id 9 twice"),
        (("images", 1), {"id": 1}, "image 1 names no file"),
        (("images", 1), {"file_name": "1.png"}, r"image 1\.png lacks id"),
        (("images", 1), {"id": 1, "file_name": "x", "height": "tall", "width": 3}, "of image 1 are no numbers"),
        (("annotations", 0), box(1, 9, 99, [0, 0, 1, 1]), "annotation 1 is of category 99, which is no class"),
        (("annotations", 0), box(1, 9, 7, [0, 0, 1]), r"annotation 1 of image 9 has no bbox \[x, y, w, h\]"),
        (("annotations", 0), {"id": 1, "bbox": [0, 0, 1, 1]}, "annotation 1 lacks image_id"),
        (("annotations", 0), box(1, [9], 7, [0, 0, 1, 1]), "annotation 1 lacks image_id"),  # type: ignore[arg-type]
        (("annotations", 0), box(1, 9, 7, [0, 0, float("nan"), 1]), r"instances\.json: annotation 1 of .* nan, 1\]"),
        (("annotations", 0), box(1, 9, 7, [0, float("inf"), 1, 1]), "annotation 1 of image 9 has no bbox"),
        (
            ("annotations", 0),
            box(1, 9, 7, [0, 0, 1, 1], area="4"),
            r"json: area of annotation 1 of image 9 .*: it is '4'",
        ),
        (("annotations", 0), box(1, 9, [7], [0, 0, 1, 1]), r"category \[7\], which is no class"),  # type: ignore[arg-type]
        (("annotations", 0), "box", r"instances\.json: annotations is no list of objects: expected COCO instances"),
        (("annotations",), {"1": []}, r"instances\.json: annotations is no list of objects"),
        (("images",), ["a.png"], r"instances\.json: images is no list of objects"),
        (("images", 1), {"id": 1, "file_name": 7}, r"instances\.json: file_name of image 1 is no text"),
        (("images", 1), {"id": 1, "file_name": "x", "neg_category_ids": 4}, "neg_category_ids of image 1 is no list"),
        (("categories",), ["cat"], r"instances\.json: categories is no list of objects"),
        (("categories",), None, "lists no categories"),
        (("images",), None, "lists no images: expected COCO instances"),
        (("categories",), [], "lists no categories"),
        (("images",), [], "lists no images: expected COCO instances"),
    ],
)
def test_faults_are_named(tmp_path: Path, place: tuple[Any, ...], change: Any, message: str) -> None:
    content = small_file()
    target: Any = content
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = change
    with pytest.raises(UserError, match=message):
        read(tmp_path, content)


def test_null_annotations_and_areas_are_missing_ones(tmp_path: Path) -> None:
    content = small_file()
    content["annotations"][0]["area"] = None
    assert read(tmp_path, content).objects(3)[0].area is None
    content["annotations"] = None
    assert totals(read(tmp_path, content, training=False)) == (5, 0, 0)


def test_annotations_none_of_which_is_of_a_listed_image_are_an_error(tmp_path: Path) -> None:
    content = small_file()
    for annotation in content["annotations"]:
        annotation["image_id"] = str(annotation["image_id"])
    message = r"instances\.json: none of its 8 annotations is of a listed image; the first has image_id '9', .* id 9\."
    for training in (True, False):
        with pytest.raises(UserError, match=message):
            read(tmp_path, content, training=training)


def test_missing_folders_and_images_are_named(tmp_path: Path) -> None:
    file = write(tmp_path, small_file())
    with pytest.raises(UserError, match="nowhere is no folder"):
        CocoDetection(file, image_folder=str(tmp_path / "nowhere"))
    with pytest.raises(BrokenImageError, match=r"sub/9\.png"):
        CocoDetection(file, image_folder=str(tmp_path)).load_image(3)


def test_real_lvis_annotations(shared: Path) -> None:
    mini = shared / "data/mini"
    file = mini / "lvis/lvis_v0.5_val_mini.json"
    reader = LvisDetection(str(file), image_folder=str(mini / "coco/val2014"), training=False)
    content = json.loads(file.read_text())
    assert totals(reader) == (3, 39, 0)
    assert len(reader.classes) == 38 and list(reader.category_ids) == sorted(one["id"] for one in content["categories"])
    frequency = {one["id"]: one["frequency"] for one in content["categories"]}
    assert [frequency[number] for number in reader.category_ids] == list(reader.frequencies)
    for index in range(3):
        image = next(one for one in content["images"] if str(one["id"]) == reader.image_id(index))
        negative = [reader.category_ids[place] for place in reader.negative_classes(index)]
        assert negative == image["neg_category_ids"]
        partial = [reader.category_ids[place] for place in reader.not_exhaustive_classes(index)]
        assert partial == image["not_exhaustive_category_ids"]
        assert reader.load_image(index).size == (image["width"], image["height"])


def test_lvis_images_are_found_by_name_or_by_address(tmp_path: Path) -> None:
    images = [
        {"id": 1, "coco_url": "http://images.cocodataset.org/val2017/01.png"},
        {"id": 2, "file_name": "train2017/02.png", "coco_url": "http://images.cocodataset.org/train2017/02.png"},
        {"id": 3, "file_name": "COCO_val2014_03.png", "coco_url": "http://images.cocodataset.org/val2017/03.png"},
        {"id": 4, "file_name": "COCO_val2014_04.png", "coco_url": "http://images.cocodataset.org/val2017/04.png"},
        {"id": 5, "coco_url": "http://images.cocodataset.org/val2017/05.png"},
    ]
    places = ["val2017/01.png", "train2017/02.png", "COCO_val2014_03.png", "val2017/04.png", "05.png"]
    for shade, place in enumerate(places):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2), (shade, 0, 0)).save(tmp_path / place)
    categories = [{"id": 1, "name": "cat", "frequency": "r"}]
    file = write(tmp_path, {"images": images, "annotations": [], "categories": categories}, "lvis.json")
    reader = LvisDetection(file, image_folder=str(tmp_path), training=False)
    assert [reader.load_image(index).getpixel((0, 0)) for index in range(5)] == [(shade, 0, 0) for shade in range(5)]
    del categories[0]["frequency"]
    file = write(tmp_path, {"images": images, "annotations": [], "categories": categories}, "other.json")
    with pytest.raises(UserError, match=r"other\.json: categories lack frequency"):
        LvisDetection(file, image_folder=str(tmp_path), training=False)


@pytest.mark.parametrize("numbers", [(0, 1, 2), (2, 40, 900), (0, 7, 3)])
def test_category_ids_may_have_gaps_and_start_at_zero(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    categories = [{"id": number, "name": f"class {number}"} for number in numbers]
    boxes = [box(place, 9, number, [place, 0, 5, 5]) for place, number in enumerate(numbers)]
    reader = read(tmp_path, {"images": small_file()["images"], "annotations": boxes, "categories": categories})
    assert list(reader.category_ids) == sorted(numbers)
    objects = reader.objects(len(reader) - 1)
    assert [reader.classes[item.class_index] for item in objects] == [f"class {number}" for number in numbers]
    assert [reader.category_ids[item.class_index] for item in objects] == list(numbers)  # as result files have them


def test_annotations_of_unlisted_images_are_left_out_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = small_file()
    content["annotations"] += [box(9, 77, 7, [0, 0, 9, 9]), box(10, 78, 4, [0, 0, 9, 9])]
    for image in content["images"]:
        image["height"] = image["width"] = None
    for _ in range(2):  # parsed, then from the index
        caplog.clear()
        assert totals(read(tmp_path, content, training=False)) == (5, 7, 1)
        assert caplog.messages == [
            f"3 of 10 annotations are of 2 images that {tmp_path / 'instances.json'} does not list; they are left out"
        ]
    caplog.clear()
    content["annotations"] = content["annotations"][:7]
    read(tmp_path, content)
    assert not caplog.messages


def test_boxes_as_two_corners_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = small_file()
    content["images"] = [{"id": 1, "file_name": "1.png", "height": 50, "width": 80}, {"id": 2, "file_name": "2.png"}]
    corners = [[60, 10, 75, 30], [1, 30, 50, 45], [-1, -1, 82, 52]]  # the last reaches one pixel too far, not more
    fitting = [[10, 10, 20, 20]] * 16
    content["annotations"] = [box(number, 1, 7, one) for number, one in enumerate(corners + fitting)]
    content["annotations"].append(box(99, 2, 7, [500, 500, 900, 900]))  # of unknown size
    for _ in range(2):  # parsed, then from the index
        caplog.clear()
        read(tmp_path, content)
        assert caplog.messages == [
            f"2 of 19 boxes of {tmp_path / 'instances.json'} reach beyond their image: is bbox [x, y, width, height] "
            "in pixels?"
        ]
    caplog.clear()
    content["annotations"].append(box(100, 1, 7, [0, 0, 80, 50]))
    read(tmp_path, content)  # 2 of 20, as may be
    assert not caplog.messages


def test_boxes_in_shares_of_the_image_are_an_error(tmp_path: Path) -> None:
    content = small_file()
    content["annotations"] = [box(1, 9, 7, [0.5, 0.25, 0.125, 1]), box(2, 1, 7, [0, 0, 0.5, 0.5])]
    with pytest.raises(UserError, match=r"instances\.json: all boxes lie within 0 and 1: .* is expected in pixels"):
        read(tmp_path, content, training=False)
    content["annotations"].append(box(3, 1, 7, [0, 0, 2, 1]))
    assert len(read(tmp_path, content, training=False)) == 5


@pytest.mark.parametrize(
    ("one", "other"), [("cat", "cat"), ("crane_(bird)", "crane (machine)"), ("hot_dog", "hot dog")]
)
def test_classes_of_one_name_are_an_error(tmp_path: Path, one: str, other: str) -> None:
    content = small_file()
    content["categories"][0]["name"], content["categories"][2]["name"] = one, other
    with pytest.raises(
        UserError, match=r"instances\.json: categories 7 \('.*'\) and 11 \('.*'\) are both asked for as"
    ):
        read(tmp_path, content)


@pytest.mark.parametrize(("other", "fits"), [("bow_(decorative_ribbons)", True), ("bow_(weapon)", False)])
def test_lvis_has_classes_whose_words_are_the_same(tmp_path: Path, other: str, fits: bool) -> None:
    content = small_file()
    content["categories"] = [
        {"id": number, "name": name, "frequency": "r"} for number, name in [(4, "bow_(weapon)"), (7, other)]
    ]
    with contextlib.nullcontext() if fits else pytest.raises(UserError, match=r"categories 4 .* and 7"):
        LvisDetection(write(tmp_path, content), image_folder=str(tmp_path), training=False)


def test_missing_images_are_listed(tmp_path: Path) -> None:
    reader = read(tmp_path, small_file(), training=False)
    (tmp_path / "sub").mkdir()
    for name in ("1.png", "sub/9.png"):
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    assert reader.missing_images(5) == [str(tmp_path / name) for name in ("2.png", "3.png", "5.png")]
    assert reader.missing_images(2) == [str(tmp_path / "2.png")]


def test_real_lvis_images_are_all_there(shared: Path) -> None:
    mini = shared / "data/mini"
    file = str(mini / "lvis/lvis_v0.5_val_mini.json")
    assert LvisDetection(file, image_folder=str(mini / "coco/val2014"), training=False).missing_images(3) == []
    elsewhere = LvisDetection(file, image_folder=str(mini / "coco/train2014"), training=False)
    assert len(elsewhere.missing_images(3)) == 3
