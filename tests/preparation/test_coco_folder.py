"""A folder in COCO's layout holds what its reader holds."""

from pathlib import Path

import numpy as np
import pytest

from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.shapes.detection import ShapesDetection
from fiber.preparation.coco_folder import ANNOTATION_FILE, write_coco_folder
from fiber.utils.errors import UserError


def test_it_is_read_back_as_it_was(tmp_path: Path) -> None:
    reader = ShapesDetection("train", num_samples=3, image_size=64)
    write_coco_folder(reader, tmp_path / "train")
    written = CocoDetection(str(tmp_path / "train" / ANNOTATION_FILE), image_folder=str(tmp_path / "train"))
    assert (tuple(written.classes), tuple(written.category_ids)) == (reader.classes, reader.category_ids)
    assert len(written) == 3
    for index in range(3):
        assert written.image_id(index) == reader.image_id(index)
        np.testing.assert_array_equal(np.asarray(written.load_image(index)), np.asarray(reader.load_image(index)))
        for mine, theirs in zip(written.objects(index), reader.objects(index), strict=True):
            assert mine.box == pytest.approx(theirs.box)
            assert mine.class_index == theirs.class_index


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    reader = ShapesDetection("train", num_samples=2, image_size=64)
    write_coco_folder(reader, tmp_path / "train", max_samples=1)
    with pytest.raises(UserError, match="train is there already: give a new or an empty folder"):
        write_coco_folder(reader, tmp_path / "train")
