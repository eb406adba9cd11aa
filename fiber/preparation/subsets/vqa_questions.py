"""Small pairs of VQA's files."""

from collections.abc import Collection, Sequence
from pathlib import Path

from fiber.data.readers.files import read_json
from fiber.data.readers.vqa import EXPECTED_ANNOTATIONS, EXPECTED_QUESTIONS, VqaQuestions
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.small_folder import SmallFolder
from fiber.utils.errors import UserError


def write_vqa(chosen: Sequence[ChosenSamples[VqaQuestions]], folder: SmallFolder) -> None:
    """Write the chosen questions and, where there are annotations, theirs.

    Raises:
        UserError: a reader takes a part of the images by their number, of which a small file has fewer.
    """
    for question_file, parts in grouped(chosen, lambda part: Path(part.arguments["question_file"])).items():
        ids = {part.reader.record(index).question_id for part in parts for index in part.indices}
        for part in parts:
            refuse_slice(part)
        filter_rows(question_file, "questions", ids, folder, EXPECTED_QUESTIONS)
        for path in dict.fromkeys(part.arguments.get("annotation_file") for part in parts):
            if path is not None:
                filter_rows(Path(path), "annotations", ids, folder, EXPECTED_ANNOTATIONS)


def refuse_slice(chosen: ChosenSamples[VqaQuestions]) -> None:
    """Raise a UserError if a reader holds images out, as `coarse_vqa_trainval` does."""
    if (images := chosen.arguments.get("images")) is not None:
        raise UserError(
            f"{chosen.reader.name}: these data take images={images} of a file, which a small one does not have: give "
            "data=coarse_vqa, which has the same files, and later read them by data.train.1.images=:-10 and "
            "data.val.images=-10:, say."
        )


def filter_rows(path: Path, key: str, ids: Collection[int], folder: SmallFolder, expected: str) -> None:
    """Write a file with the rows of some questions, and everything else as it is."""
    content = read_json(path, expected=expected)
    folder.write_json(path, {**content, key: [row for row in content[key] if row["question_id"] in ids]})
