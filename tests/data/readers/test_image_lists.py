"""COCO, Karpathy and Visual Genome files: real samples, and files that are not what they should be."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.coco_captions import CocoCaptions
from fiber.data.readers.karpathy import KarpathyCaptions
from fiber.data.readers.visual_genome import VisualGenomeRegions
from fiber.utils.errors import UserError


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def test_coco_captions_of_real_files(shared: Path) -> None:
    coco = shared / "data/mini/coco"
    file = coco / "annotations/captions_val2017.json"
    reader = CocoCaptions(str(file), image_folder=str(coco / "val2017"))
    content = json.loads(file.read_text())
    assert (len(reader), reader.caption_counts().sum()) == (58, 290)
    first = content["images"][0]
    assert reader.image_id(0) == str(first["id"])
    assert reader.load_image(0).size == (first["width"], first["height"])
    expected = [one["caption"].strip() for one in content["annotations"] if one["image_id"] == first["id"]]
    assert list(reader.captions(0)) == expected
    assert all(reader.load_image(index).mode == "RGB" for index in range(len(reader)))


@pytest.mark.parametrize(
    ("split", "images", "captions"),
    [("train", 19, 95), ("restval", 48, 240), ("val", 14, 70), ("test", 17, 85), ("train+restval", 67, 335)],
)
def test_karpathy_splits_of_real_files(shared: Path, split: str, images: int, captions: int) -> None:
    mini = shared / "data/mini"
    reader = KarpathyCaptions(str(mini / "karpathy/dataset_coco.json"), image_folder=str(mini / "coco"), split=split)
    assert (len(reader), reader.caption_counts().sum()) == (images, captions)
    assert all(reader.load_image(index).size[0] > 0 for index in range(images))


def test_an_image_is_identified_by_its_number_or_else_by_its_file_name(tmp_path: Path) -> None:
    common = {"split": "val", "sentences": [{"raw": "x"}]}
    images = [
        common | {"filename": "COCO_val2014_000000000042.jpg", "filepath": "val2014", "cocoid": 42, "imgid": 0},
        common | {"filename": "1000092795.jpg", "imgid": 1},
    ]
    file = write(tmp_path / "dataset.json", {"images": images})
    reader = KarpathyCaptions(file, image_folder=str(tmp_path), split="val")
    assert [reader.image_id(index) for index in range(2)] == ["42", "1000092795.jpg"]


def test_karpathy_flickr30k_of_real_files(shared: Path) -> None:
    mini = shared / "data/mini"
    file, folder = str(mini / "karpathy/dataset_flickr30k.json"), str(mini / "flickr30k/flickr30k-images")
    train = KarpathyCaptions(file, image_folder=folder, split="train")
    test = KarpathyCaptions(file, image_folder=folder, split="test")
    assert (len(train), len(test), len(train.captions(0))) == (7, 1, 5)
    names = [image["filename"] for image in json.loads(Path(file).read_text())["images"] if image["split"] == "train"]
    assert [train.image_id(index) for index in range(7)] == names
    assert pickle.loads(pickle.dumps(train)).load_image(6).size == train.load_image(6).size


def test_visual_genome_finds_images_in_both_folders(tmp_path: Path) -> None:
    for folder, name in (("VG_100K", "1.jpg"), ("VG_100K_2", "2.jpg")):
        (tmp_path / folder).mkdir()
        Image.new("L", (8, 6)).save(tmp_path / folder / name)
    regions = [
        {"id": 1, "regions": [{"image_id": 1, "phrase": "a cat"}, {"image_id": 1, "phrase": "a cat "}]},
        {"id": 2, "regions": [{"image_id": 2, "phrase": "a dog"}, {"image_id": 2, "phrase": "the sky"}]},
        {"id": 3, "regions": []},
    ]
    reader = VisualGenomeRegions(write(tmp_path / "regions.json", regions), image_folder=str(tmp_path))
    assert [list(reader.captions(index)) for index in range(2)] == [["a cat"], ["a dog", "the sky"]]
    assert [reader.load_image(index).mode for index in range(2)] == ["RGB", "RGB"]
    assert len(reader) == 2


def test_missing_and_truncated_images_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:300])
    images = [{"id": 1, "file_name": "cut.jpg"}, {"id": 2, "file_name": "absent.jpg"}]
    annotations = [{"image_id": image["id"], "caption": "x"} for image in images]
    content = {"images": images, "annotations": annotations}
    reader = CocoCaptions(write(tmp_path / "captions.json", content), image_folder=str(tmp_path))
    for index, name in enumerate(("cut.jpg", "absent.jpg")):
        with pytest.raises(BrokenImageError, match=name):
            reader.load_image(index)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "is of another format: expected COCO captions"),
        ({"images": [], "annotations": [{"bbox": [0, 0, 1, 1]}]}, r"holds COCO boxes \(instances\)"),
        ({"images": [{"id": 1, "file_name": "a"}], "annotations": []}, "holds no captioned image"),
    ],
)
def test_other_formats_are_not_taken_for_coco_captions(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        CocoCaptions(write(tmp_path / "file.json", content), image_folder=str(tmp_path))


def test_paths_and_splits_that_do_not_exist_are_named(tmp_path: Path) -> None:
    content = {"images": [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "x"}]}]}
    file = write(tmp_path / "dataset.json", content)
    with pytest.raises(UserError, match="has no split 'val': it holds train"):
        KarpathyCaptions(file, image_folder=str(tmp_path), split="val")
    with pytest.raises(UserError, match="nowhere is no folder"):
        KarpathyCaptions(file, image_folder=str(tmp_path / "nowhere"), split="train")
    with pytest.raises(UserError, match=r"absent/d\.json does not exist \(.*absent is missing\)"):
        KarpathyCaptions(str(tmp_path / "absent/d.json"), image_folder=str(tmp_path), split="train")
    (tmp_path / "text.json").write_text("{ no json")
    with pytest.raises(UserError, match=r"text\.json is not json"):
        KarpathyCaptions(str(tmp_path / "text.json"), image_folder=str(tmp_path), split="train")
    with pytest.raises(UserError, match="expected Visual Genome's"):
        VisualGenomeRegions(file, image_folder=str(tmp_path))
