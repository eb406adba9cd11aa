"""ODinW: thirteen sets with their folders, splits and published prompts."""

import json
from pathlib import Path
from typing import Any

import pytest

from fiber.data.readers.odinw import DATASETS, OdinwDetection
from fiber.detection.prompts import class_prompt
from fiber.utils.errors import UserError

VOC = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]
AQUARIUM = ["fish", "jellyfish", "penguin", "puffin", "shark", "starfish", "stingray"]


def odinw_file(*names: str) -> dict[str, Any]:
    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    return {"images": [{"id": 1, "file_name": "1.png"}], "annotations": [], "categories": categories}


def write(folder: Path, content: Any, name: str = "annotations_without_background.json") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))


@pytest.mark.parametrize(("split", "images", "boxes"), [("train", 14, 15), ("valid", 4, 4), ("evaluation", 4, 4)])
def test_real_raccoons(shared: Path, split: str, images: int, boxes: int) -> None:
    reader = OdinwDetection(str(shared / "data/mini/odinw"), dataset="Raccoon", split=split)
    assert (len(reader), sum(len(reader.objects(index)) for index in range(len(reader)))) == (images, boxes)
    assert (reader.classes, reader.category_ids) == (("raccoon",), (1,))
    assert [reader.load_image(i).size[::-1] for i in range(len(reader))] == [tuple(size) for size in reader.sizes()]


def test_the_file_without_background_is_preferred_and_files_beside_the_images_are_found(tmp_path: Path) -> None:
    folder = tmp_path / DATASETS["Raccoon"].folder / "test"
    write(folder, odinw_file("raw"), "_annotations.coco.json")
    assert OdinwDetection(str(tmp_path), dataset="Raccoon", split="test").classes == ("raw",)
    write(folder, odinw_file("clean"))
    assert OdinwDetection(str(tmp_path), dataset="Raccoon", split="test").classes == ("clean",)
    write(tmp_path / "pistols/export", odinw_file("pistol"), "val_annotations_without_background.json")
    pistols = OdinwDetection(str(tmp_path), dataset="pistols", split="valid")
    assert pistols.location(0) == str(tmp_path / "pistols/export/1.png")


@pytest.mark.parametrize(
    ("dataset", "place", "classes", "text", "names"),
    [
        (
            "AerialMaritimeDrone",
            "AerialMaritimeDrone/large/valid",
            ["boat", "car", "dock", "jetski", "lift"],
            "boat. car. dock. jetski. lift",
            ["boat", "car", "dock", "jetski", "lift"],
        ),
        (
            "Aquarium",
            "Aquarium/Aquarium Combined.v2-raw-1024.coco/valid",
            AQUARIUM,
            " fish. jellyfish. penguin , which is black and white. puffin with orange beaks . shark. starfish. "
            "stingray which is flat and round",
            AQUARIUM,
        ),
        ("CottontailRabbits", "CottontailRabbits/valid", ["Cottontail-Rabbit"], "rabbit", ["rabbit"]),
        ("EgoHands", "EgoHands/generic/mini_val", ["hand"], " hand of a person", ["hand"]),
        (
            "NorthAmericaMushrooms",
            "NorthAmericaMushrooms/North American Mushrooms.v1-416x416.coco/valid",
            ["CoW", "chanterelle"],
            "flat mushroom. yellow mushroom",
            ["flat mushroom", "yellow mushroom"],
        ),
        ("Packages", "Packages/Raw/valid", ["package"], "there is a package on the porch", ["package"]),
        ("PascalVOC", "PascalVOC/valid", VOC, ". ".join(VOC), VOC),
        ("pistols", "pistols/export", ["pistol"], "pistol", ["pistol"]),
        ("pothole", "pothole/valid", ["pothole"], "there are some holes on the road", ["holes"]),
        ("Raccoon", "Raccoon/Raccoon.v2-raw.coco/valid", ["raccoon"], "raccoon", ["raccoon"]),
        (
            "ShellfishOpenImages",
            "ShellfishOpenImages/raw/valid",
            ["Crab", "Lobster", "Shrimp"],
            "Crab. Lobster. Shrimp",
            ["Crab", "Lobster", "Shrimp"],
        ),
        ("thermalDogsAndPeople", "thermalDogsAndPeople/valid", ["dog", "person"], "dog. person", ["dog", "person"]),
        (
            "VehiclesOpenImages",
            "VehiclesOpenImages/416x416/mini_val",
            ["Ambulance", "Bus", "Car", "Motorcycle", "Truck"],
            "Ambulance. Bus. Car. Motorcycle. Truck",
            ["Ambulance", "Bus", "Car", "Motorcycle", "Truck"],
        ),
    ],
)
def test_every_set_is_evaluated_where_and_as_published(
    tmp_path: Path, dataset: str, place: str, classes: list[str], text: str, names: list[str]
) -> None:
    """The published table of folders, classes, prompts and splits."""
    file = "val_annotations_without_background.json" if dataset == "pistols" else "annotations_without_background.json"
    write(tmp_path / place, odinw_file(*classes), file)
    reader = OdinwDetection(str(tmp_path), dataset=dataset, split="evaluation")
    assert reader.location(0) == str(tmp_path / place / "1.png")
    prompt = class_prompt(reader.class_prompts)
    assert prompt.text == text
    assert [text[begin:end] for ((begin, end),) in prompt.spans] == names


@pytest.mark.parametrize(
    ("dataset", "spans"),
    [
        ("Aquarium", [(1, 5), (7, 16), (18, 25), (54, 60), (81, 86), (88, 96), (98, 106)]),
        ("EgoHands", [(1, 5)]),
        ("Packages", [(11, 18)]),
        ("pothole", [(15, 20)]),
    ],
)
def test_only_the_class_itself_is_labelled_in_decorated_prompts(
    tmp_path: Path, dataset: str, spans: list[tuple[int, int]]
) -> None:
    classes = AQUARIUM if dataset == "Aquarium" else list(DATASETS[dataset].prompts)
    write(tmp_path / DATASETS[dataset].folder / "test", odinw_file(*classes))
    prompt = class_prompt(OdinwDetection(str(tmp_path), dataset=dataset, split="test").class_prompts)
    assert [span for (span,) in prompt.spans] == spans


def test_pascal_voc_has_its_validation_images_for_test(tmp_path: Path) -> None:
    write(tmp_path / "PascalVOC/valid", odinw_file(*VOC))
    reader = OdinwDetection(str(tmp_path), dataset="PascalVOC", split="test")
    assert (reader.location(0), reader.name) == (str(tmp_path / "PascalVOC/valid/1.png"), "ODinW PascalVOC valid")


def test_there_are_thirteen_sets_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    assert len(DATASETS) == 13
    with pytest.raises(UserError, match="dataset='Racoon' is none of ODinW's: choose from AerialMaritimeDrone"):
        OdinwDetection(str(tmp_path), dataset="Racoon", split="test")
    with pytest.raises(UserError, match="split='val' is none of train, valid, test, mini_val, evaluation"):
        OdinwDetection(str(tmp_path), dataset="Raccoon", split="val")
    with pytest.raises(UserError, match="pothole/test holds neither annotations_without_background"):
        OdinwDetection(str(tmp_path), dataset="pothole", split="test")
    write(tmp_path / "Packages/Raw/test", odinw_file("parcel"), "_annotations.coco.json")
    with pytest.raises(UserError, match="lacks the classes package of ODinW's Packages"):
        OdinwDetection(str(tmp_path), dataset="Packages", split="test")
