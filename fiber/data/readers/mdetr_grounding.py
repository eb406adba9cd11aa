"""Captions with boxes as MDETR publishes them: the mixed set, Flickr30k Entities, RefCOCO, RefCOCO+ and RefCOCOg."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.annotation_index import AnnotationIndex, IndexContent
from fiber.data.readers.coco_format import LeftOut, corners, is_crowd, read_coco, stated_size, warn_of_left_out
from fiber.data.readers.files import require_folder
from fiber.data.readers.image_file_reader import ImageFileReader
from fiber.data.readers.task_readers import GroundingReader, ReferringReader
from fiber.data.records import Box, GroundedCaption, Phrase, Span
from fiber.utils.errors import UserError

EXPECTED = (
    'MDETR\'s annotations: {"images": [{"id", "file_name", "caption"}], '
    '"annotations": [{"image_id", "bbox", "tokens_positive"}]}'
)
COCO = "coco"
"""The `data_source` of images in the main folder."""


class SpannedBox(NamedTuple):
    """One annotation."""

    spans: Sequence[Span]
    box: Box


class FileDetails(NamedTuple):
    """What the index keeps of the whole file."""

    sources: Sequence[str]
    """Every `data_source`."""
    datasets: Sequence[str]
    """Every `dataset_name`; empty text where an entry has none."""
    not_single: Sequence[int]
    """Id and number of boxes of the first entry that has other than one box; empty if there is none."""
    left_out: Sequence[int]
    """Fields of `LeftOut`."""


class EntryRecord(NamedTuple):
    """What the index keeps of a caption."""

    entry_id: int
    file: str
    source: str
    caption: str
    boxes: list[Any]
    """Fields of `SpannedBox`."""
    evaluated: list[Any] | None
    """Spans of every phrase that is judged."""


class MdetrGrounding(ImageFileReader, GroundingReader):
    """One sample per caption, in ascending order of entry ids; an image has as many entries as captions.

    Boxes whose characters are the same make one phrase. Crowds are left out.

    Args:
        annotation_file: such as `final_mixed_train.json`, `final_flickr_separateGT_val.json` or
            `finetune_refcoco_testA.json`.
        image_folder: images of COCO or Flickr30k.
        vg_image_folder: images of Visual Genome, needed if an entry's `data_source` is not `coco`.
        evaluate: take the phrases that the benchmark judges (`tokens_positive_eval`) where the file lists them, in
            that order; each has the boxes of every annotation that shares one of its spans.

    Raises:
        UserError: a missing file or folder, a file of another format (naming the entry at fault), or no
            `vg_image_folder` where one is needed.
    """

    with_crowds: ClassVar[bool] = False
    """Whether boxes around many objects count."""

    def __init__(
        self, annotation_file: str, *, image_folder: str, vg_image_folder: str | None = None, evaluate: bool = False
    ) -> None:
        self.annotation_file, self.folder = Path(annotation_file), Path(image_folder)
        self.evaluate = evaluate
        self.name = self.annotation_file.stem
        self.index = AnnotationIndex(
            self.annotation_file,
            layout=f"mdetr grounding 4, with_crowds={self.with_crowds}",
            build=partial(build_index, with_crowds=self.with_crowds),
        )
        sources = self.details.sources
        if COCO in sources:
            require_folder(self.folder, expected=f"the images of {self.annotation_file.name}")
        self.other_folder = self.folder
        if others := [source for source in sources if source != COCO]:
            if vg_image_folder is None:
                raise UserError(
                    f"{annotation_file} names images of {', '.join(others)}: set vg_image_folder to where they lie."
                )
            self.other_folder = Path(vg_image_folder)
            require_folder(self.other_folder, expected=f"the Visual Genome images of {self.annotation_file.name}")
        self.left_out = LeftOut(*self.details.left_out)
        warn_of_left_out(self.left_out, self.annotation_file)

    @property
    def details(self) -> FileDetails:
        """What the index keeps of the whole file."""
        return FileDetails(*self.index.details)

    def record(self, index: int) -> EntryRecord:
        """What the index keeps of a caption."""
        return EntryRecord(*self.index[index])

    def __len__(self) -> int:
        return len(self.index)

    def sizes(self) -> NDArray[np.int64]:
        return self.index.sizes

    def grounded_caption(self, index: int) -> GroundedCaption:
        record = self.record(index)
        boxes = [SpannedBox(to_spans(spans), tuple(box)) for spans, box in record.boxes]
        if self.evaluate and record.evaluated is not None:
            return GroundedCaption(record.caption, judged_phrases(map(to_spans, record.evaluated), boxes))
        return GroundedCaption(record.caption, phrases_by_spans(boxes))

    def image_id(self, index: int) -> str:
        """Id of the entry, of which there is one per caption."""
        return str(self.record(index).entry_id)

    def location(self, index: int) -> str:
        record = self.record(index)
        return str((self.folder if record.source == COCO else self.other_folder) / record.file)


class MdetrReferring(MdetrGrounding, ReferringReader):
    """One referring expression per sample, with the one object that it names.

    The phrase's characters are those of the file: the root noun phrase of the expression. An object may be a crowd.

    Args:
        annotation_file: such as `finetune_refcoco_testA.json`.
        image_folder: images of COCO `train2014`.
        dataset: name of the benchmark; None takes the file's `dataset_name`.

    Raises:
        UserError: as for `MdetrGrounding`; also an entry without exactly one box, or no `dataset` where the file has
            several or none.
    """

    with_crowds = True

    def __init__(self, annotation_file: str, *, image_folder: str, dataset: str | None = None) -> None:
        super().__init__(annotation_file, image_folder=image_folder)
        if self.details.not_single:
            entry, boxes = self.details.not_single
            raise UserError(
                f"{annotation_file}: image {entry} has {boxes} boxes: an expression names one object, as in "
                "finetune_refcoco_testA.json."
            )
        datasets = self.details.datasets
        if dataset is None and (len(datasets) != 1 or not datasets[0]):
            names = ", ".join(name or "none" for name in datasets)
            raise UserError(f"{annotation_file}: dataset_name is {names}: set dataset, say to refcoco+.")
        self.dataset = datasets[0] if dataset is None else dataset


def to_spans(spans: Iterable[Sequence[int]]) -> tuple[Span, ...]:
    """Spans in the order of the text, each once."""
    return tuple(sorted({(begin, end) for begin, end in spans}))


def phrases_by_spans(boxes: Sequence[SpannedBox]) -> tuple[Phrase, ...]:
    """One phrase per set of spans, in the order of the first box."""
    phrases: dict[tuple[Span, ...], list[Box]] = {}
    for spans, box in boxes:
        phrases.setdefault(tuple(spans), []).append(box)
    return tuple(Phrase(spans, tuple(members)) for spans, members in phrases.items())


def judged_phrases(wanted: Iterable[tuple[Span, ...]], boxes: Sequence[SpannedBox]) -> tuple[Phrase, ...]:
    """The wanted phrases, each with every box that shares one of its spans."""
    return tuple(Phrase(spans, tuple(box for own, box in boxes if set(spans) & set(own))) for spans in wanted)


def build_index(path: Path, *, with_crowds: bool) -> IndexContent:
    """Parse an annotation file.

    Raises:
        UserError: as `MdetrGrounding` says.
    """
    content = read_coco(path, expected=EXPECTED, image_keys=("file_name", "caption"))
    boxes = {
        image["id"]: [
            annotation
            for annotation in content.annotations.get(image["id"], ())
            if with_crowds or not is_crowd(annotation)
        ]
        for image in content.images
    }
    return IndexContent(
        details=FileDetails(
            sorted({image.get("data_source", COCO) for image in content.images}),
            sorted({image.get("dataset_name") or "" for image in content.images}),
            next(([number, len(own)] for number, own in boxes.items() if len(own) != 1), []),
            content.left_out,
        ),
        sizes=[stated_size(image, path) for image in content.images],
        records=(
            EntryRecord(
                image["id"],
                image["file_name"],
                image.get("data_source", COCO),
                caption_of(image, path),
                [SpannedBox(spans_of(one, path), corners(one)) for one in boxes[image["id"]]],
                judged_spans(image, path),
            )
            for image in content.images
        ),
    )


def caption_of(image: dict[str, Any], path: Path) -> str:
    """Caption of an entry, which may be empty.

    Raises:
        UserError: it is no text.
    """
    caption = image["caption"]
    if not isinstance(caption, str):
        raise UserError(f"{path}: the caption of image {image['id']} is no text: expected {EXPECTED}.")
    return caption


def judged_spans(image: dict[str, Any], path: Path) -> list[list[Span]] | None:
    """Characters of every phrase that is judged; None where the file does not say.

    Raises:
        UserError: they are no lists of pairs of numbers.
    """
    phrases = image.get("tokens_positive_eval")
    if phrases is None:
        return None
    if not isinstance(phrases, list) or not all(is_spans(spans) for spans in phrases):
        raise UserError(f"{path}: tokens_positive_eval of image {image['id']} is not [[[begin, end], ...], ...].")
    return phrases


def spans_of(annotation: dict[str, Any], path: Path) -> list[Span]:
    """Characters that name a box; `tokens` goes before `tokens_positive`, as in MDETR's later files.

    Raises:
        UserError: there are none, or they are no pairs of numbers.
    """
    spans: Any = annotation.get("tokens", annotation.get("tokens_positive"))
    if not is_spans(spans):
        raise UserError(
            f"{path}: annotation {annotation.get('id')} has no tokens_positive [[begin, end], ...]: "
            f"expected {EXPECTED}."
        )
    return [(begin, end) for begin, end in spans]


def is_spans(value: Any) -> TypeGuard[list[list[int]]]:
    """Whether this is a list of pairs of whole numbers."""
    return isinstance(value, list) and all(
        isinstance(span, list) and len(span) == 2 and all(isinstance(side, int) for side in span) for span in value
    )
