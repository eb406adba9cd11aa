"""VQA v2's files: real samples, and files that are not what they should be."""

import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.vqa import VqaQuestions
from fiber.utils.errors import UserError


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def question(number: int, image: int) -> dict[str, Any]:
    return {"question_id": number, "image_id": image, "question": f"What is {number}?"}


def annotation(number: int, answers: list[str]) -> dict[str, Any]:
    return {"question_id": number, "answers": [{"answer": answer} for answer in answers]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five questions about three images, annotated in another order."""
    (tmp_path / "val2014").mkdir()
    for image in (5, 3, 9):
        Image.new("RGB", (8, 6), (image, 0, 0)).save(tmp_path / f"val2014/COCO_val2014_{image:012d}.jpg")
    rows = [question(50, 5), question(30, 3), question(51, 5), question(90, 9), question(91, 9)]
    write(tmp_path / "questions.json", {"data_subtype": "val2014", "questions": rows})
    answers = ["cat"] * 4 + ["Cat"] * 3 + ["dog"] * 2 + ["a cat"]
    rows = [annotation(number, answers) for number in (91, 90, 51, 50, 30)]
    write(tmp_path / "annotations.json", {"annotations": rows})
    return tmp_path


def reader(folder: Path, **arguments: Any) -> VqaQuestions:
    arguments = {"annotation_file": str(folder / "annotations.json")} | arguments
    return VqaQuestions(str(folder / "questions.json"), image_folder=str(folder), **arguments)


def test_real_questions_with_their_images(shared: Path) -> None:
    mini = shared / "data/mini"
    stem = mini / "vqav2/v2_mscoco_train2014_annotations.json"
    questions = VqaQuestions(
        str(mini / "vqav2/v2_OpenEnded_mscoco_train2014_questions.json"),
        image_folder=str(mini / "coco"),
        annotation_file=str(stem),
    )
    rows = {row["question_id"]: row for row in json.loads(stem.read_text())["annotations"]}
    assert len(questions) == len(rows) == 60
    for index in range(60):
        asked = questions.question(index)
        row = rows[asked.question_id]
        assert asked.annotated_answers == tuple(one["answer"] for one in row["answers"])
        assert (asked.question_type, asked.answer_type) == (row["question_type"], row["answer_type"])
        assert asked.common_answer == row["multiple_choice_answer"]
        counts = Counter(asked.annotated_answers)
        assert {one.text: one.score for one in asked.answers} == {
            text: {1: 0.3, 2: 0.6, 3: 0.9}.get(count, 1.0) for text, count in counts.items()
        }
        assert questions.image_id(index) == str(row["image_id"])
        assert questions.load_image(index).mode == "RGB"


def test_answers_count_as_they_were_given(folder: Path) -> None:
    asked = reader(folder).question(0)
    assert (asked.question_id, asked.text) == (50, "What is 50?")
    assert {one.text: one.score for one in asked.answers} == {"cat": 1.0, "Cat": 0.9, "dog": 0.6, "a cat": 0.3}
    assert asked.common_answer == "cat"  # the most frequent, where the file does not say


def test_a_slice_of_the_images_takes_all_their_questions(folder: Path) -> None:
    ids = {
        images: [row.question_id for row in map(part.question, range(len(part)))]
        for images in (":-1", "-1:", "1:2", None)
        for part in [reader(folder, images=images)]
    }
    assert ids == {":-1": [50, 30, 51], "-1:": [90, 91], "1:2": [30], None: [50, 30, 51, 90, 91]}
    assert reader(folder, images="-1:").load_image(0).getpixel((0, 0))[0] in range(7, 12)  # type: ignore[index]


@pytest.mark.parametrize("subtype", ["test2015", "test-dev2015"])
def test_test_splits_have_no_answers(tmp_path: Path, subtype: str) -> None:
    (tmp_path / "test2015").mkdir()
    write(tmp_path / "questions.json", {"data_subtype": subtype, "questions": [question(10, 1)]})
    asked = reader(tmp_path, annotation_file=None)
    assert asked.question(0).answers == asked.question(0).annotated_answers == ()
    assert asked.location(0) == str(tmp_path / "test2015/COCO_test2015_000000000001.jpg")
    with pytest.raises(BrokenImageError, match="COCO_test2015_000000000001"):
        asked.load_image(0)


def test_a_pickled_reader_and_a_changed_file(folder: Path) -> None:
    first = reader(folder)
    assert pickle.loads(pickle.dumps(first)).question(4) == first.question(4)
    rows = [annotation(number, ["new"]) for number in (50, 30, 51, 90, 91)]
    write(folder / "annotations.json", {"annotations": rows})
    assert reader(folder).question(4).annotated_answers == ("new",)


@pytest.mark.parametrize(
    ("questions", "annotations", "message"),
    [
        ([question(1, 1)], [annotation(2, ["x"])], r"belongs to other questions than .*: 1 of 1 .*question 1 among"),
        ([question(1, 1)] * 2, [annotation(1, ["x"])], "2 questions have the id 1"),
        ([], [annotation(1, ["x"])], "questions.json is of another format: expected VQA questions"),
        ([annotation(1, ["x"])], [annotation(1, ["x"])], "questions.json is of another format"),
        ([question(1, 1)], [question(1, 1)], "annotations.json is of another format: expected VQA annotations"),
        ([question(1, 1)], [], "annotations.json is of another format"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, questions: Any, annotations: Any, message: str) -> None:
    (tmp_path / "val2014").mkdir()
    write(tmp_path / "questions.json", {"data_subtype": "val2014", "questions": questions})
    write(tmp_path / "annotations.json", {"annotations": annotations})
    with pytest.raises(UserError, match=message):
        reader(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": "1000"}, "images=1000: give first:end"),
        ({"images": "a:b"}, "images=a:b: give first:end"),
        ({"images": "3:"}, "images=3: leaves no question"),
        ({"annotation_file": "nowhere.json"}, r"nowhere\.json does not exist"),
    ],
)
def test_arguments_that_do_not_fit_are_named(folder: Path, arguments: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        reader(folder, **arguments)


def test_a_missing_folder_of_images_is_named(tmp_path: Path) -> None:
    write(tmp_path / "questions.json", {"data_subtype": "val2014", "questions": [question(1, 1)]})
    with pytest.raises(UserError, match=r"val2014 is no folder: expected the images of questions\.json"):
        reader(tmp_path, annotation_file=None)
