"""Flickr30k Entities as published: sentences with marked phrases, and boxes of the phrases' ids."""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.annotation_index import AnnotationIndex, IndexContent
from fiber.data.readers.files import MissingFileError, require_folder
from fiber.data.readers.image_file_reader import ImageFileReader
from fiber.data.readers.task_readers import EntitiesReader
from fiber.data.records import Box, GroundedCaption, Phrase, Span
from fiber.utils.errors import UserError

EXPECTED = (
    "Flickr30k Entities: {train,val,test}.txt of picture ids, Sentences/<id>.txt with phrases marked as in "
    "'[/EN#1/people Two men] hold [/EN#2/other a ball]', Annotations/<id>.xml with their boxes"
)
MARK = "[/EN#"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class MarkedPhrase(NamedTuple):
    """A phrase of a sentence."""

    entity: str
    """Id, which phrases about one thing share."""
    types: tuple[str, ...]
    span: Span


class MarkedSentence(NamedTuple):
    """A sentence without its marks."""

    text: str
    phrases: tuple[MarkedPhrase, ...]


class PictureBoxes(NamedTuple):
    """What is annotated of a picture."""

    size: tuple[int, int]
    """Height and width in pixels."""
    boxes: dict[str, list[Box]]
    """By entity."""


class SentenceRecord(NamedTuple):
    """What the index keeps of a sentence."""

    picture_id: str
    sentence_index: int
    text: str
    phrases: list[Any]
    """Fields of `RecordedPhrase`."""


class RecordedPhrase(NamedTuple):
    """A phrase that has boxes."""

    types: list[str]
    span: Span
    boxes: list[Box]


class Flickr30kEntities(ImageFileReader, EntitiesReader):
    """One sample per sentence that has a phrase with boxes, picture by picture as listed.

    A caption is the sentence's words, one blank between them. Phrases without boxes (scenes, what is not visible) are
    no phrases; one whose entity was named before in the sentence is a phrase of its own. Boxes are the numbers of the
    files, taken as continuous.

    The files of all pictures are read once. The list of the split is watched for changes, the others are not: delete
    the index that the cache folder keeps if they change.

    Args:
        folder: holds `<split>.txt`, `Sentences/` and `Annotations/`.
        split: `train`, `val` or `test`.
        image_folder: holds `<picture id>.jpg`.

    Raises:
        UserError: missing files (with their number), a file of another format, or no phrase with a box.
    """

    def __init__(self, folder: str, *, split: str, image_folder: str) -> None:
        place = Path(folder)
        require_folder(place, expected=EXPECTED)
        split_file = place / f"{split}.txt"
        if not split_file.is_file():
            raise MissingFileError(
                f"{split_file} does not exist: give split train, val or test; expected {EXPECTED}.", path=split_file
            )
        self.index = AnnotationIndex(
            split_file, layout="flickr30k entities 1", build=partial(build_index, folder=place)
        )
        self.folder = Path(image_folder)
        require_folder(self.folder, expected="the images of Flickr30k, <picture id>.jpg")
        self.name = f"Flickr30k Entities {split}"

    def record(self, index: int) -> SentenceRecord:
        """What the index keeps of a sentence."""
        return SentenceRecord(*self.index[index])

    def phrases(self, index: int) -> list[RecordedPhrase]:
        """Phrases of a sentence, in its order."""
        return [RecordedPhrase(*phrase) for phrase in self.record(index).phrases]

    def __len__(self) -> int:
        return len(self.index)

    def sizes(self) -> NDArray[np.int64]:
        return self.index.sizes

    def grounded_caption(self, index: int) -> GroundedCaption:
        return GroundedCaption(
            self.record(index).text,
            tuple(
                Phrase(((begin, end),), tuple((left, top, right, bottom) for left, top, right, bottom in boxes))
                for _, (begin, end), boxes in self.phrases(index)
            ),
        )

    def phrase_types(self, index: int) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(phrase.types) for phrase in self.phrases(index))

    def picture_id(self, index: int) -> str:
        """The picture's id, which its sentences share."""
        return self.record(index).picture_id

    def sentence_index(self, index: int) -> int:
        """Which of the picture's sentences this is, from 0, those without boxes counted."""
        return self.record(index).sentence_index

    def image_id(self, index: int) -> str:
        """`<picture id>/<sentence index>`."""
        return f"{self.picture_id(index)}/{self.sentence_index(index)}"

    def location(self, index: int) -> str:
        return str(self.folder / f"{self.picture_id(index)}.jpg")


def build_index(split_file: Path, *, folder: Path) -> IndexContent:
    """Parse the files of every picture of a split.

    Raises:
        UserError: as `Flickr30kEntities` says.
    """
    pictures = split_file.read_text(encoding="utf-8").split()
    sentences = {picture: folder / "Sentences" / f"{picture}.txt" for picture in pictures}
    annotations = {picture: folder / "Annotations" / f"{picture}.xml" for picture in pictures}
    missing = [path for path in (*sentences.values(), *annotations.values()) if not path.is_file()]
    if missing:
        raise MissingFileError(
            f"{len(missing)} of the {2 * len(sentences)} files of {split_file} are missing, the first is {missing[0]}: "
            f"expected {EXPECTED}.",
            path=missing[0],
        )
    sizes, records = [], []
    for picture in sentences:
        annotated = read_boxes(annotations[picture])
        for number, sentence in read_sentences(sentences[picture]):
            phrases = [
                RecordedPhrase(list(phrase.types), phrase.span, annotated.boxes[phrase.entity])
                for phrase in sentence.phrases
                if phrase.entity in annotated.boxes
            ]
            if phrases:
                sizes.append(annotated.size)
                records.append(SentenceRecord(picture, number, sentence.text, phrases))
    if not records:
        raise UserError(f"{split_file}: no sentence has a phrase with a box: expected {EXPECTED}.")
    return IndexContent(details=None, sizes=sizes, records=records)


def read_sentences(path: Path) -> Iterator[tuple[int, MarkedSentence]]:
    """Sentences of a picture with their places, from 0.

    Raises:
        UserError: a mark is not as expected.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")):
        if line.strip():
            yield number, parse_sentence(line, f"{path}:{number + 1}")


def parse_sentence(line: str, where: str) -> MarkedSentence:
    """Words and phrases of a line: a phrase reads `[/EN#<entity>/<type>[/<type>...] <word> ... <word>]`.

    Args:
        line: as published.
        where: names the line in messages.

    Raises:
        UserError: a phrase has no type, or does not end.
    """
    text, phrases, opened = "", [], None
    for word in [*line.split(), ""]:
        if opened is not None and (not word or word.startswith(MARK)):
            raise UserError(f"{where}: the phrase of entity {opened.entity} lacks its ']': expected {EXPECTED}.")
        if word.startswith(MARK):
            entity, *types = word.removeprefix(MARK).split("/")
            if not entity or not types:
                raise UserError(f"{where}: {word!r} names no entity with its type: expected {EXPECTED}.")
            opened = MarkedPhrase(entity, tuple(types), (len(text) + bool(text), 0))
            continue
        closed = opened if word.endswith("]") else None
        said = word if closed is None else word.removesuffix("]")
        text += " " * bool(text and said) + said
        if closed is not None:
            opened, (begin, _) = None, closed.span
            if begin < len(text):
                phrases.append(closed._replace(span=(begin, len(text))))
    return MarkedSentence(text, tuple(phrases))


def read_boxes(path: Path) -> PictureBoxes:
    """Size of a picture and boxes of what its sentences name.

    Raises:
        UserError: the file is no xml, or lacks a number.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise UserError(f"{path} is no xml ({error}): expected {EXPECTED}.") from error
    boxes: dict[str, list[Box]] = defaultdict(list)
    for item in root.iter("object"):
        corners = item.find("bndbox")
        if corners is None:
            continue
        left, top, right, bottom = (number(corners, side, path) for side in CORNERS)
        for name in item.iter("name"):
            boxes[(name.text or "").strip()].append((left, top, right, bottom))
    size = root.find("size")
    if size is None:
        raise UserError(f"{path} lacks the size of the picture: expected {EXPECTED}.")
    return PictureBoxes((int(number(size, "height", path)), int(number(size, "width", path))), dict(boxes))


def number(element: ElementTree.Element, tag: str, path: Path) -> float:
    """A number below an element.

    Raises:
        UserError: there is none.
    """
    text = element.findtext(tag, "")
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{path}: {tag} of a {element.tag} is {text!r}, which is no number.") from error
