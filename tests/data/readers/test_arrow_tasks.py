"""Arrow tables of VQA v2 and NLVR2, laid out as ViLT's converters do."""

import io
import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from fiber.data.readers.arrow_questions import ArrowQuestions
from fiber.data.readers.arrow_statements import ArrowStatements
from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.nlvr2 import Nlvr2Statements
from fiber.data.records import Answer, Question
from fiber.utils.errors import UserError


def encoded(shade: int) -> bytes:
    """A small picture of one grey value, as PNG."""
    buffer = io.BytesIO()
    Image.new("L", (6, 4), shade).save(buffer, format="PNG")
    return buffer.getvalue()


def shade(image: Image.Image) -> int:
    assert image.mode == "RGB"
    return int(image.getextrema()[0][0])


def write(path: Path, columns: dict[str, list[Any]]) -> str:
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as file, pa.RecordBatchFileWriter(file, table.schema) as writer:
        writer.write_table(table)
    return str(path)


def pairs(path: Path, rows: list[tuple[str, list[str], list[str]]], first_shade: int = 0) -> str:
    """Rows of identifier, questions and answers; their images get darker shades than those of later rows."""
    identifiers, questions, answers = (list(column) for column in zip(*rows, strict=True))
    shades = range(first_shade, first_shade + 2 * len(rows))
    return write(
        path,
        {
            "image_0": [encoded(number) for number in shades[::2]],
            "image_1": [encoded(number) for number in shades[1::2]],
            "questions": questions,
            "answers": answers,
            "identifier": identifiers,
        },
    )


def test_every_sentence_of_a_pair_is_a_statement(tmp_path: Path) -> None:
    pairs(tmp_path / "nlvr2_0.arrow", [("dev-7-2", ["a dog", "two cats"], ["True", "False"]), ("dev-8-0", [], [])])
    pairs(tmp_path / "nlvr2_1.arrow", [("dev-7-0", ["two cats", "a bird"], ["True", "True"])], first_shade=100)
    reader = pickle.loads(pickle.dumps(ArrowStatements([str(tmp_path / "nlvr2_*.arrow")])))
    assert [reader.statement(index) for index in range(len(reader))] == [
        ("a dog", True, "dev-7-2-0"),
        ("two cats", False, "dev-7-2-1"),
        ("two cats", True, "dev-7-0-1"),  # the same sentence of the set
        ("a bird", True, "dev-7-0-2"),
    ]
    images = [tuple(map(shade, reader.load_images(index))) for index in range(4)]
    assert images == [(0, 1), (0, 1), (100, 101), (100, 101)]
    assert reader.encoded_images(3) == [encoded(100), encoded(101)]
    assert reader.location(3) == f"{tmp_path / 'nlvr2_1.arrow'}:0"
    assert reader.name == "nlvr2_0"


def test_a_sentence_that_comes_twice_is_two_statements(tmp_path: Path) -> None:
    rows = [("dev-7-2", ["a dog", "a dog", "a cat"], ["True", "False", "True"]), ("dev-7-0", ["a dog"], ["True"])]
    reader = ArrowStatements([pairs(tmp_path / "a.arrow", rows)])
    identifiers = [reader.statement(index).identifier for index in range(4)]
    assert identifiers == ["dev-7-2-0", "dev-7-2-1", "dev-7-2-2", "dev-7-0-0"]


def test_a_pair_in_two_rows_is_refused(tmp_path: Path) -> None:
    pairs(tmp_path / "0.arrow", [("dev-7-1", ["a dog"], ["True"]), ("dev-7-2", ["a dog"], ["True"])])
    pairs(tmp_path / "1.arrow", [("dev-7-0", ["a dog"], ["True"]), ("dev-7-2", ["a cat"], ["True"])])
    with pytest.raises(UserError, match=r"1\.arrow:1 is about dev-7-2, as is .*0\.arrow:1"):
        ArrowStatements([str(tmp_path / "*.arrow")])


def test_tables_of_the_real_samples_say_what_the_json_says(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data/mini/nlvr2"
    published = Nlvr2Statements(str(folder / "data/dev.json"), image_folder=str(folder))
    rows: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for index in range(len(published)):
        statement = published.statement(index)
        row = rows[statement.identifier.rpartition("-")[0]]
        row["images"] = [published.path(index, side).read_bytes() for side in (0, 1)]
        row["questions"].append(statement.text)
        row["answers"].append(str(statement.is_true))
    table = {
        "image_0": [row["images"][0] for row in rows.values()],
        "image_1": [row["images"][1] for row in rows.values()],
        "questions": [row["questions"] for row in rows.values()],
        "answers": [row["answers"] for row in rows.values()],
        "identifier": list(rows),
    }
    reader = ArrowStatements([write(tmp_path / "nlvr2_dev.arrow", table)])
    in_tables = {reader.statement(index).identifier: index for index in range(len(reader))}
    for index in range(len(published)):
        statement = published.statement(index)
        place = in_tables[statement.identifier]
        assert reader.statement(place) == statement
        assert reader.load_images(place) == published.load_images(index)


@pytest.mark.parametrize(
    "row",
    [
        ("dev-7-2", ["a dog"], ["yes"]),
        ("dev-7-2", ["a dog"], ["True", "True"]),
        ("dev-7-2-0", ["a dog"], ["True"]),
    ],
)
def test_rows_that_are_not_nlvr2s_are_named(tmp_path: Path, row: tuple[str, list[str], list[str]]) -> None:
    path = pairs(tmp_path / "a.arrow", [("dev-1-0", ["a cat"], ["True"]), row])
    with pytest.raises(UserError, match=r"a\.arrow:1 is no row of NLVR2"):
        ArrowStatements([path])


def asked(path: Path, **columns: list[Any]) -> str:
    """Two images with two questions and one."""
    table: dict[str, list[Any]] = {
        "image": [encoded(3), encoded(4)],
        "questions": [["how many ?", "is it ?"], ["what ?"]],
        "answers": [[["2", "3"], ["yes"]], [["cat", "2"]]],
        "answer_labels": [[[5, 2], [0]], [[1, 5]]],
        "answer_scores": [[[1.0, 0.3], [0.9]], [[0.6, 0.3]]],
        "image_id": [17, 18],
        "question_id": [[170, 171], [180]],
        "split": ["train", "train"],
    }
    return write(path, table | columns)


def test_every_question_comes_with_its_image_and_soft_labels(tmp_path: Path) -> None:
    reader = pickle.loads(pickle.dumps(ArrowQuestions([asked(tmp_path / "vqav2_train.arrow")])))
    assert [reader.question(index) for index in range(len(reader))] == [
        Question("how many ?", (Answer("2", 1.0), Answer("3", 0.3)), 170),
        Question("is it ?", (Answer("yes", 0.9),), 171),
        Question("what ?", (Answer("cat", 0.6), Answer("2", 0.3)), 180),
    ]
    assert [shade(reader.load_image(index)) for index in range(3)] == [3, 3, 4]
    assert [reader.encoded_images(index) for index in range(3)] == [[encoded(3)], [encoded(3)], [encoded(4)]]
    assert [reader.image_id(index) for index in range(3)] == ["17", "17", "18"]
    assert reader.known_answers == ("yes", "cat", "3", "2")  # in the order of their labels
    assert list(reader.texts()) == ["how many ?", "is it ?", "what ?"]


def test_test_tables_hold_questions_without_answers(tmp_path: Path) -> None:
    nothing: list[list[Any]] = [[], []]
    path = asked(tmp_path / "vqav2_test.arrow", answers=nothing, answer_labels=nothing, answer_scores=nothing)
    reader = ArrowQuestions([path])
    assert reader.known_answers is None
    assert [reader.question(index) for index in range(3)] == [
        Question("how many ?", (), 170),
        Question("is it ?", (), 171),
        Question("what ?", (), 180),
    ]


def test_wrong_and_empty_tables_and_damaged_pictures_are_named(tmp_path: Path) -> None:
    captions = write(tmp_path / "coco.arrow", {"image": [b""], "caption": [["a"]], "image_id": ["1"]})
    with pytest.raises(UserError, match=r"coco\.arrow lacks the columns answers, identifier, image_0, image_1, quest"):
        ArrowStatements([captions])
    with pytest.raises(UserError, match="lacks the columns answer_labels, answer_scores, answers, question_id, quest"):
        ArrowQuestions([captions])
    with pytest.raises(UserError, match="the tables hold no statement"):
        ArrowStatements([pairs(tmp_path / "none.arrow", [("dev-1-0", [], [])])])
    with pytest.raises(UserError, match="the tables hold no question"):
        ArrowQuestions([asked(tmp_path / "none.arrow", questions=[[], []])])
    broken = ArrowQuestions([asked(tmp_path / "broken.arrow", image=[encoded(1), b"no picture"])])
    with pytest.raises(BrokenImageError, match=r"broken\.arrow:1 image"):
        broken.load_image(2)
