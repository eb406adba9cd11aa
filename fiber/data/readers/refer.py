"""RefCOCO, RefCOCO+ and RefCOCOg as REFER publishes them: referred objects as a pickle, their boxes as COCO json."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.annotation_index import AnnotationIndex, IndexContent
from fiber.data.readers.base import UnknownSplitError
from fiber.data.readers.coco_format import corners, read_coco, stated_size
from fiber.data.readers.files import MissingFileError, require_file, require_folder
from fiber.data.readers.image_file_reader import ImageFileReader
from fiber.data.readers.plain_pickle import read_plain_pickle
from fiber.data.readers.task_readers import ReferringReader
from fiber.data.records import Box, GroundedCaption, Phrase
from fiber.utils.errors import UserError

EXPECTED = (
    "REFER's list of referred objects: [{ref_id, ann_id, image_id, split, sentences: [{sent_id, sent, raw}]}], such as "
    "refcoco/refs(unc).p"
)
EXPECTED_INSTANCES = "REFER's instances.json: images and annotations in COCO's layout"
PREFERRED = ("unc", "umd")
"""Splits that published figures are of: of RefCOCO and RefCOCO+, and of RefCOCOg."""
REFERENCE_KEYS = frozenset({"ref_id", "ann_id", "image_id", "split", "sentences"})


class ExpressionRecord(NamedTuple):
    """What the index keeps of a sentence."""

    sentence_id: int
    image_id: int
    file: str
    text: str
    box: list[float]


class ReferExpressions(ImageFileReader, ReferringReader):
    """One sample per sentence, in the order of the file.

    REFER has no parse, so the whole expression is the phrase: an object's score is the mean over all its tokens. An
    object may be a crowd.

    Args:
        folder: such as `refcoco/`, with `refs(unc).p` and `instances.json`.
        image_folder: images of COCO `train2014`.
        split: such as `train`, `val`, `testA` or `testB`; RefCOCOg has `test`.
        split_by: `unc`, `umd` or `google`, as the name of the refs file says; None = `unc`, else `umd`, else the only
            one there is.
        dataset: name of the benchmark; None takes that of the folder.

    Raises:
        UserError: a missing file or folder, a file of another format, a refs file that holds more than plain data, a
            split that it lacks (naming those it has), or objects that `instances.json` lacks.
    """

    def __init__(
        self, folder: str, *, image_folder: str, split: str, split_by: str | None = None, dataset: str | None = None
    ) -> None:
        place = Path(folder)
        require_folder(place, expected="refs(unc).p and instances.json, as REFER publishes them")
        self.refs_file = find_refs(place, split_by)
        instances = place / "instances.json"
        require_file(instances, expected=EXPECTED_INSTANCES)
        status = instances.stat()
        self.index = AnnotationIndex(
            self.refs_file,
            layout=f"refer 1, split={split}, instances={status.st_size} {status.st_mtime_ns}",
            build=partial(build_index, instances=instances, split=split),
        )
        self.folder = Path(image_folder)
        require_folder(self.folder, expected=f"the images of {place.name}, COCO's train2014")
        self.dataset = place.resolve().name if dataset is None else dataset
        self.name = f"{self.dataset} {split}"

    def record(self, index: int) -> ExpressionRecord:
        """What the index keeps of a sentence."""
        return ExpressionRecord(*self.index[index])

    def __len__(self) -> int:
        return len(self.index)

    def sizes(self) -> NDArray[np.int64]:
        return self.index.sizes

    def grounded_caption(self, index: int) -> GroundedCaption:
        record = self.record(index)
        left, top, right, bottom = record.box
        box: Box = (left, top, right, bottom)
        return GroundedCaption(record.text, (Phrase(((0, len(record.text)),), (box,)),))

    def image_id(self, index: int) -> str:
        """Id of the sentence, since an image has several."""
        return str(self.record(index).sentence_id)

    def location(self, index: int) -> str:
        return str(self.folder / self.record(index).file)


def find_refs(folder: Path, split_by: str | None) -> Path:
    """The file of referred objects.

    Raises:
        UserError: there is none, or several to choose from.
    """
    found = {path.name.removeprefix("refs(").removesuffix(").p"): path for path in sorted(folder.glob("refs(*).p"))}
    if not found:
        raise MissingFileError(
            f"{folder} holds no refs file: expected {EXPECTED}. Is data_dir right?", path=folder / "refs(*).p"
        )
    if split_by is None:
        split_by = next((name for name in PREFERRED if name in found), None)
        if split_by is None and len(found) == 1:
            (split_by,) = found
    if split_by not in found:
        raise UserError(f"{folder}: split_by={split_by} is none of the refs files there: choose {' or '.join(found)}.")
    return found[split_by]


def build_index(refs_file: Path, *, instances: Path, split: str) -> IndexContent:
    """Parse the files.

    Raises:
        UserError: as `ReferExpressions` says.
    """
    references = checked_references(read_plain_pickle(refs_file, expected=EXPECTED), refs_file)
    chosen = [reference for reference in references if reference["split"] == split]
    if not chosen:
        splits = sorted({str(reference["split"]) for reference in references})
        raise UnknownSplitError(f"{refs_file}: split={split} does not occur: choose from {', '.join(splits)}.")
    content = read_coco(instances, expected=EXPECTED_INSTANCES, image_keys=("file_name",))
    images = {image["id"]: image for image in content.images}
    boxes = {one.get("id"): corners(one) for annotations in content.annotations.values() for one in annotations}
    for reference in chosen:
        if reference["ann_id"] not in boxes or reference["image_id"] not in images:
            raise UserError(
                f"{instances} lacks the object {reference['ann_id']} or the image {reference['image_id']} of "
                f"{refs_file.name}'s ref_id {reference['ref_id']}: take both files of one download."
            )
    return IndexContent(
        details=None,
        sizes=[
            stated_size(images[reference["image_id"]], instances)
            for reference in chosen
            for _ in reference["sentences"]
        ],
        records=(
            ExpressionRecord(
                sentence["sent_id"],
                reference["image_id"],
                images[reference["image_id"]]["file_name"],
                expression(sentence, refs_file),
                list(boxes[reference["ann_id"]]),
            )
            for reference, sentence in sentences_of(chosen)
        ),
    )


def sentences_of(references: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every referred object with each of its sentences."""
    for reference in references:
        for sentence in reference["sentences"]:
            yield reference, sentence


def checked_references(content: Any, path: Path) -> list[dict[str, Any]]:
    """The referred objects of a file.

    Raises:
        UserError: it is of another format.
    """
    if not isinstance(content, list) or not content:
        raise UserError(f"{path} is of another format: expected {EXPECTED}.")
    for place, reference in enumerate(content):
        if not isinstance(reference, dict) or not set(reference) >= REFERENCE_KEYS:
            raise UserError(f"{path}: entry {place} lacks one of {', '.join(sorted(REFERENCE_KEYS))}.")
        sentences = reference["sentences"]
        if not isinstance(sentences, list) or not all(is_sentence(sentence) for sentence in sentences):
            raise UserError(f"{path}: a sentence of ref_id {reference['ref_id']} lacks sent_id or sent.")
    return content


def is_sentence(value: Any) -> bool:
    """Whether this is a sentence with its number."""
    return isinstance(value, dict) and "sent_id" in value and isinstance(value.get("sent"), str)


def expression(sentence: dict[str, Any], path: Path) -> str:
    """The words of a sentence in lower case as REFER cleans them; as written where nothing is left by that.

    Raises:
        UserError: there are none.
    """
    for text in (sentence["sent"], sentence.get("raw")):
        if isinstance(text, str) and text.strip():
            return text.strip()
    raise UserError(f"{path}: the sentence {sentence['sent_id']} is blank.")
