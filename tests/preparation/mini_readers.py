"""Readers of the real samples, format by format, as data files name them."""

from typing import Any

READERS = "fiber.data.readers"
COCO = "coco_detection.CocoDetection"
KARPATHY = "karpathy.KarpathyCaptions"
PATHS = ("path", "paths", "folder", "annotation_file", "question_file", "image_folder", "yaml_file", "root")
"""Arguments below `data_dir`."""


def reader(name: str, **arguments: Any) -> dict[str, Any]:
    """A reader of a data file.

    Args:
        name: of its module and class.
        arguments: of the reader; paths are relative to `data_dir`.
    """

    def place(value: Any) -> Any:
        return [place(one) for one in value] if isinstance(value, list) else f"${{data_dir}}/{value}"

    placed = {key: place(value) if key in PATHS else value for key, value in arguments.items()}
    return {"_target_": f"{READERS}.{name}", **placed}


def mini_readers() -> dict[str, tuple[list[dict[str, Any]], list[int]]]:
    """Readers of the real samples by format, and how many samples they shall have."""
    nlvr2 = {"image_folder": "nlvr2"}
    mdetr = {"annotation_file": "derived_grounding/mixed_val.json", "image_folder": "coco/val2017"}
    entities = {"folder": "derived_grounding/entities_format"}
    return {
        "karpathy": (
            [
                reader(KARPATHY, annotation_file="karpathy/dataset_coco.json", image_folder="coco", split=split)
                for split in ("train+restval", "val", "test")
            ],
            [3, 3, 3],
        ),
        "captions and boxes": (
            [
                reader(
                    "coco_captions.CocoCaptions",
                    annotation_file="coco/annotations/captions_val2017.json",
                    image_folder="coco/val2017",
                ),
                reader(COCO, annotation_file="coco/annotations/instances_val2017.json", image_folder="coco/val2017"),
            ],
            [3, 3],
        ),
        "lvis": (
            [
                reader(
                    "lvis_detection.LvisDetection",
                    annotation_file="lvis/lvis_v0.5_val_mini.json",
                    image_folder="coco/val2014",
                )
            ],
            [3],
        ),
        "odinw": (
            [
                reader("odinw.OdinwDetection", root="odinw", dataset="Raccoon", split=split)
                for split in ("train", "valid")
            ],
            [3, 3],
        ),
        "vqa": (
            [
                reader(
                    "vqa.VqaQuestions",
                    question_file="vqav2/v2_OpenEnded_mscoco_train2014_questions.json",
                    annotation_file="vqav2/v2_mscoco_train2014_annotations.json",
                    image_folder="coco",
                )
            ],
            [3],
        ),
        "nlvr2": (
            [
                reader("nlvr2.Nlvr2Statements", annotation_file=f"nlvr2/data/{split}.json", **nlvr2)
                for split in ("train", "dev", "test1")
            ],
            [1, 3, 3],
        ),
        "refer": (
            [reader("refer.ReferExpressions", folder="refcoco", image_folder="coco/train2014", split="testA")],
            [3],
        ),
        "mdetr": ([reader("mdetr_grounding.MdetrGrounding", evaluate=True, **mdetr)], [3]),
        "entities": (
            [
                reader("flickr30k_entities.Flickr30kEntities", image_folder=f"coco/{year}", split=split, **entities)
                for split, year in (("train", "train2017"), ("val", "val2017"))
            ],
            [5, 3],  # all sentences of a picture, if there are more than 3
        ),
        "objects365": ([reader("objects365_tsv.Objects365Tsv", yaml_file="derived_o365_tsv/train.yaml")], [3]),
    }
