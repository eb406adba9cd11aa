"""ODinW-13: thirteen small detection sets in COCO's layout ("object detection in the wild")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.files import MissingFileError
from fiber.detection.prompts import ClassPrompt
from fiber.utils.errors import UserError

EVALUATION = "evaluation"
"""Stands for the split that published figures were measured on."""
SPLITS = ("train", "valid", "test", "mini_val", EVALUATION)
ANNOTATION_FILES = ("annotations_without_background.json", "_annotations.coco.json")


@dataclass(frozen=True)
class OdinwDataset:
    """One of the thirteen."""

    folder: str
    """Below `odinw/`."""
    prompts: Mapping[str, ClassPrompt] = field(default_factory=dict)
    """Classes whose published prompt differs from their name."""
    evaluation_split: str = "valid"
    """Where published figures were measured."""
    test_split: str = "test"
    """What the benchmark takes for its test split."""


DATASETS: Mapping[str, OdinwDataset] = {
    "AerialMaritimeDrone": OdinwDataset("AerialMaritimeDrone/large"),
    "Aquarium": OdinwDataset(
        "Aquarium/Aquarium Combined.v2-raw-1024.coco",
        prompts={
            "fish": ClassPrompt("fish", prefix=" "),
            "penguin": ClassPrompt("penguin", suffix=" , which is black and white"),
            "puffin": ClassPrompt("puffin", suffix=" with orange beaks "),
            "stingray": ClassPrompt("stingray", suffix=" which is flat and round"),
        },
    ),
    "CottontailRabbits": OdinwDataset("CottontailRabbits", prompts={"Cottontail-Rabbit": ClassPrompt("rabbit")}),
    "EgoHands": OdinwDataset(
        "EgoHands/generic",
        prompts={"hand": ClassPrompt("hand", prefix=" ", suffix=" of a person")},
        evaluation_split="mini_val",
    ),
    "NorthAmericaMushrooms": OdinwDataset(
        "NorthAmericaMushrooms/North American Mushrooms.v1-416x416.coco",
        prompts={"CoW": ClassPrompt("flat mushroom"), "chanterelle": ClassPrompt("yellow mushroom")},
    ),
    "Packages": OdinwDataset(
        "Packages/Raw",
        prompts={"package": ClassPrompt("package", prefix="there is a ", suffix=" on the porch")},
    ),
    "PascalVOC": OdinwDataset("PascalVOC", test_split="valid"),
    "pistols": OdinwDataset("pistols/export"),
    "pothole": OdinwDataset(
        "pothole",
        prompts={"pothole": ClassPrompt("holes", prefix="there are some ", suffix=" on the road")},
    ),
    "Raccoon": OdinwDataset("Raccoon/Raccoon.v2-raw.coco"),
    "ShellfishOpenImages": OdinwDataset("ShellfishOpenImages/raw"),
    "thermalDogsAndPeople": OdinwDataset("thermalDogsAndPeople"),
    "VehiclesOpenImages": OdinwDataset("VehiclesOpenImages/416x416", evaluation_split="mini_val"),
}
"""By the name that the benchmark gives them."""


class OdinwDetection(CocoDetection):
    """One split of one of the thirteen sets; `train` is read for training, the others whole.

    Args:
        root: the folder `odinw/`.
        dataset: a key of `DATASETS`.
        split: `train`, `valid`, `test` or, for some, `mini_val`; `evaluation` is the one that published figures were
            measured on.

    Raises:
        UserError: an unknown data set or split, a missing file, or a class of the published prompts that the file
            lacks; also as `CocoDetection` says.
    """

    def __init__(self, root: str, *, dataset: str, split: str) -> None:
        if dataset not in DATASETS:
            raise UserError(f"dataset={dataset!r} is none of ODinW's: choose from {', '.join(DATASETS)}.")
        if split not in SPLITS:
            raise UserError(f"split={split!r} is none of {', '.join(SPLITS)}.")
        facts = DATASETS[dataset]
        split = {EVALUATION: facts.evaluation_split, "test": facts.test_split}.get(split, split)
        annotation_file, images = find_split(Path(root) / facts.folder, split)
        super().__init__(str(annotation_file), image_folder=str(images), training=split == "train")
        self.name = f"ODinW {dataset} {split}"
        if unknown := set(facts.prompts) - set(self.classes):
            raise UserError(f"{annotation_file} lacks the classes {', '.join(sorted(unknown))} of ODinW's {dataset}.")
        self.prompts: tuple[str | ClassPrompt, ...] = tuple(facts.prompts.get(name, name) for name in self.classes)

    @property
    def class_prompts(self) -> Sequence[str | ClassPrompt]:
        """The published prompt of every class; a name alone where there is none."""
        return self.prompts


def find_split(folder: Path, split: str) -> tuple[Path, Path]:
    """Annotation file and image folder of a split: a folder of its own, or a file beside the images (pistols).

    Raises:
        UserError: there is neither.
    """
    places = [(folder / split / name, folder / split) for name in ANNOTATION_FILES]
    places.append((folder / f"{'val' if split == 'valid' else split}_{ANNOTATION_FILES[0]}", folder))
    for annotation_file, images in places:
        if annotation_file.is_file():
            return annotation_file, images
    raise MissingFileError(
        f"{folder / split} holds neither {' nor '.join(ANNOTATION_FILES)}. Is data_dir right?",
        path=folder / split / ANNOTATION_FILES[-1],
    )
