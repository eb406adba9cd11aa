"""`prepare_data.py`: what its commands write and say."""

from pathlib import Path

import pytest

from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.shapes.detection import ShapesDetection
from fiber.evaluation.captioning.document_frequencies import DocumentFrequencies
from fiber.preparation.coco_folder import ANNOTATION_FILE
from fiber.preparation.commands import prepare_data
from fiber.utils.errors import UserError

from .composing import composed


def test_document_frequencies_count_images_of_the_training_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "frequencies.json"
    prepare_data(
        composed("document-frequencies", "data=shapes_coarse_caption", "data.train.0.num_samples=40", f"output={path}")
    )
    counted = DocumentFrequencies.load(path)
    reader = ShapesCaptions("train", num_samples=40, image_size=384)
    captions = [[*reader.captions(index)[0].split(), "<eos>"] for index in range(40)]
    assert counted.num_documents == 40
    for word in ("red", "small", "there", "circle", "<eos>"):
        assert counted.counts[word] == sum(word in caption for caption in captions)
    endings = [" ".join(caption[-2:]) for caption in captions]
    assert counted.counts["square <eos>"] == endings.count("square <eos>")
    said = capsys.readouterr().out
    assert f"{len(counted.counts):,} runs" in said and "40 images" in said and str(path) in said


def test_several_captions_of_a_real_image_are_one_document(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "frequencies.json"
    prepare_data(composed("document-frequencies", "data=coco", f"data_dir={shared}/data/mini", f"output={path}"))
    counted = DocumentFrequencies.load(path)
    assert counted.num_documents == 67  # train and restval
    assert counted.counts["<eos>"] == 67 and 60 < counted.counts["a"] <= 67


@pytest.mark.parametrize(("split", "folder"), [("train", "train"), ("val", "valid"), ("test", "new")])
def test_a_split_becomes_a_folder_in_coco_s_layout(
    split: str, folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / folder
    sizes = ("max_samples=3", "image_size=64")
    prepare_data(composed("coco-folder", "data=shapes_fine_coco", f"split={split}", f"output={output}", *sizes))
    written = CocoDetection(str(output / ANNOTATION_FILE), image_folder=str(output), training=False)
    expected = ShapesDetection(split, num_samples=3, image_size=64, style="sketch")
    assert [written.load_image(index).tobytes() for index in range(len(written))] == [
        expected.load_image(index).tobytes() for index in range(3)
    ]
    num_boxes = sum(len(expected.objects(index)) for index in range(3))
    assert f"3 images with {num_boxes} boxes of 4 classes: {output}" in capsys.readouterr().out


def test_one_of_several_sets_becomes_a_folder(tmp_path: Path) -> None:
    sizes = ("max_samples=2", "image_size=64")
    asked = ("coco-folder", "data=shapes_fine_pretrain", "split=train", f"output={tmp_path}", *sizes)
    prepare_data(composed(*asked, "set_number=1"))
    assert len(CocoDetection(str(tmp_path / ANNOTATION_FILE), image_folder=str(tmp_path), training=False)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=coco"], "no command is given: type prepare_data.py and one of coco-folder, document-frequencies"),
        (["frequencies", "data=coco"], "there is no command frequencies: type"),
        (["document-frequencies", "data=shapes_coarse_caption"], "output is missing: give output=frequencies.json"),
        (["document-frequencies", "data=coco", "data_dir=/nowhere", "output=x"], "/nowhere is missing"),
        (["coco-folder", "data=shapes_fine_coco"], "output is missing: give output=FOLDER"),
        (
            ["coco-folder", "data=shapes_fine_coco", "split=tset", "output=x"],
            "split=tset: these data have train, val, t",
        ),
        (["coco-folder", "data=shapes_fine_pretrain", "split=val", "output=x"], "2 sets: .* set_number=0 to 1"),
        (["coco-folder", "data=shapes_fine_coco", "max_samples=0", "output=x"], "max_samples=0: give 1 or more"),
        (["coco-folder", "data=shapes_fine_refcoco", "split=testA", "output=x"], "reads no objects: .* data=fine_coco"),
        (["document-frequencies", "data=fine_lvis", "output=x"], "choose data for this stage|does not exist"),
    ],
)
def test_wrong_commands_end_in_one_message(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare_data(composed(*arguments))
