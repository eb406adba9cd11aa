"""VQA v2 as published: one file of questions, one of annotations, COCO's images of 2014 and 2015."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fiber.data.readers.annotation_index import AnnotationIndex, IndexContent
from fiber.data.readers.files import read_json, require_file, require_folder
from fiber.data.readers.image_file_reader import ImageFileReader
from fiber.data.readers.task_readers import QuestionReader
from fiber.data.records import Answer, Question
from fiber.utils.errors import UserError

EXPECTED_QUESTIONS = (
    'VQA questions: {"data_subtype", "questions": [{"question_id", "image_id", "question"}]}, such as '
    "v2_OpenEnded_mscoco_train2014_questions.json"
)
EXPECTED_ANNOTATIONS = (
    'VQA annotations: {"annotations": [{"question_id", "answers": [{"answer"}]}]}, such as '
    "v2_mscoco_train2014_annotations.json"
)
SOFT_LABELS = (0.0, 0.3, 0.6, 0.9, 1.0)
"""Soft label of an answer by the number of annotators who gave it; more are no better."""


class QuestionRecord(NamedTuple):
    """What the index keeps of a question."""

    question_id: int
    image_id: int
    text: str
    question_type: str
    answer_type: str
    common_answer: str
    annotated_answers: Sequence[str]


class VqaQuestions(ImageFileReader, QuestionReader):
    """Questions in the order of the file.

    Args:
        question_file: such as `v2_OpenEnded_mscoco_train2014_questions.json`.
        image_folder: holds `train2014/`, `val2014/` and `test2015/`; the question file's `data_subtype` says which.
        annotation_file: such as `v2_mscoco_train2014_annotations.json`; None for the test splits, whose answers are
            not published.
        images: part of the images with all their questions, as a slice of them in order of first occurrence:
            `:-1000` holds the last thousand out, `-1000:` takes them.

    Raises:
        UserError: a missing file or folder, a file of another format, a question id that occurs twice, annotations
            that lack questions, or no question left.
    """

    def __init__(
        self, question_file: str, *, image_folder: str, annotation_file: str | None = None, images: str | None = None
    ) -> None:
        questions = Path(question_file)
        annotations = Path(annotation_file) if annotation_file is not None else None
        self.name = f"{questions.stem} {images}" if images else questions.stem
        self.index = AnnotationIndex(
            questions,
            layout=f"vqa 1, images={images}, annotations={describe_file(annotations)}",
            build=partial(build_index, annotation_file=annotations, images=images),
        )
        self.image_split = str(self.index.details)
        self.folder = Path(image_folder) / self.image_split
        require_folder(self.folder, expected=f"the images of {questions.name}")

    def record(self, index: int) -> QuestionRecord:
        """What the index keeps of a question."""
        return QuestionRecord(*self.index[index])

    def __len__(self) -> int:
        return len(self.index)

    def question(self, index: int) -> Question:
        record = self.record(index)
        return Question(
            record.text,
            soft_answers(record.annotated_answers),
            record.question_id,
            question_type=record.question_type,
            answer_type=record.answer_type,
            common_answer=record.common_answer,
            annotated_answers=tuple(record.annotated_answers),
        )

    def image_id(self, index: int) -> str:
        return str(self.record(index).image_id)

    def location(self, index: int) -> str:
        return str(self.folder / f"COCO_{self.image_split}_{self.record(index).image_id:012d}.jpg")


def soft_answers(annotated: Sequence[str]) -> tuple[Answer, ...]:
    """Every answer given, as it was given, with its soft label."""
    return tuple(
        Answer(text, SOFT_LABELS[min(count, len(SOFT_LABELS) - 1)]) for text, count in Counter(annotated).items()
    )


def describe_file(path: Path | None) -> str:
    """What changes when a file does.

    Raises:
        UserError: there is no such file.
    """
    if path is None:
        return "none"
    require_file(path, expected=EXPECTED_ANNOTATIONS)
    status = path.stat()
    return f"{path.absolute()} {status.st_size} {status.st_mtime_ns}"


def build_index(question_file: Path, *, annotation_file: Path | None, images: str | None) -> IndexContent:
    """Parse the files.

    Raises:
        UserError: as `VqaQuestions` says.
    """
    content = read_json(question_file, expected=EXPECTED_QUESTIONS)
    if not isinstance(content, dict) or "data_subtype" not in content:
        raise UserError(f"{question_file} is of another format: expected {EXPECTED_QUESTIONS}.")
    rows = checked_rows(
        content.get("questions"), {"question_id", "image_id", "question"}, question_file, EXPECTED_QUESTIONS
    )
    question_ids = [row["question_id"] for row in rows]
    refuse_repeated(question_ids, question_file)
    annotations = {}
    if annotation_file is not None:
        annotations = read_annotations(annotation_file)
        refuse_missing(question_ids, annotations, question_file, annotation_file)
    chosen = list(of_images(rows, images))
    if not chosen:
        raise UserError(f"{question_file}: images={images} leaves no question.")
    return IndexContent(
        details=content["data_subtype"].replace("test-dev", "test"),  # a part of the test questions, same images
        sizes=[(0, 0)] * len(chosen),
        records=(question_record(row, annotations.get(row["question_id"], {})) for row in chosen),
    )


def checked_rows(rows: Any, keys: set[str], path: Path, expected: str) -> list[dict[str, Any]]:
    """Rows of a file if the first is an object with such keys.

    Raises:
        UserError: it is not, or there are no rows.
    """
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict) or not keys <= set(rows[0]):
        raise UserError(f"{path} is of another format: expected {expected}.")
    return rows


def read_annotations(path: Path) -> dict[int, dict[str, Any]]:
    """Annotations by question id."""
    content = read_json(path, expected=EXPECTED_ANNOTATIONS)
    rows = content.get("annotations") if isinstance(content, dict) else None
    return {
        row["question_id"]: row for row in checked_rows(rows, {"question_id", "answers"}, path, EXPECTED_ANNOTATIONS)
    }


def refuse_repeated(question_ids: list[int], path: Path) -> None:
    """Raise a UserError if two questions have one id, by which results are told apart."""
    number, count = Counter(question_ids).most_common(1)[0]
    if count > 1:
        raise UserError(f"{path}: {count} questions have the id {number}.")


def refuse_missing(
    question_ids: list[int], annotations: dict[int, dict[str, Any]], question_file: Path, annotation_file: Path
) -> None:
    """Raise a UserError if the annotations are those of other questions."""
    missing = [number for number in question_ids if number not in annotations]
    if missing:
        raise UserError(
            f"{annotation_file} belongs to other questions than {question_file}: {len(missing)} of "
            f"{len(question_ids)} have no annotation, question {missing[0]} among them. "
            "Give the two files of one split."
        )


def of_images(rows: list[dict[str, Any]], images: str | None) -> Iterator[dict[str, Any]]:
    """Questions about a slice of the images."""
    known = list(dict.fromkeys(row["image_id"] for row in rows))
    chosen = set(known[parse_slice(images)] if images else known)
    return (row for row in rows if row["image_id"] in chosen)


def parse_slice(text: str) -> slice:
    """`first:end`, either of which may be missing or count from the end.

    Raises:
        UserError: anything else.
    """
    try:
        first, end = (int(part) if part.strip() else None for part in text.split(":"))
    except ValueError as error:
        raise UserError(f"images={text}: give first:end, such as :-1000 for all but the last thousand.") from error
    return slice(first, end)


def question_record(row: dict[str, Any], annotation: dict[str, Any]) -> QuestionRecord:
    """One question; what is not annotated stays empty."""
    answers = [answer["answer"] for answer in annotation.get("answers", ())]
    most_common = Counter(answers).most_common(1)
    return QuestionRecord(
        question_id=row["question_id"],
        image_id=row["image_id"],
        text=row["question"],
        question_type=annotation.get("question_type", ""),
        answer_type=annotation.get("answer_type", ""),
        common_answer=annotation.get("multiple_choice_answer") or (most_common[0][0] if most_common else ""),
        annotated_answers=answers,
    )
