"""Judging the captions of a split."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from fiber.data.caption_batch import CaptionBatch
from fiber.data.normalization import normalize_pixels
from fiber.data.readers.base import CaptionReader
from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.tokenization import TextTokenizer
from fiber.evaluation.captioning.caption_scores import caption_scores
from fiber.tasks.coarse.sheet_evaluator import SheetEvaluator
from fiber.tasks.coarse.sheets import SheetLine, SheetRow
from fiber.tasks.split_evaluator import ResultFile

NUM_REFERENCES = 5
"""References drawn beside an image."""
NUM_NAMED = 10
"""Images named in a message."""
COCO_FILE = re.compile(r"COCO_\w+_(?P<number>[0-9]+)\.\w+")

log = logging.getLogger(__name__)


class CaptionWriter(Protocol):
    """Writes captions."""

    def __call__(self, model: Any, pixels: Tensor, *, keys: Sequence[int]) -> Sequence[Sequence[int]]:
        """Token ids of one caption per image.

        Args:
            model: the captioning network.
            pixels: normalised, float B 3 S S.
            keys: number of every image, for captions that are drawn at random.
        """


class CaptionEvaluator(SheetEvaluator[CaptionBatch, str]):
    """Has every image captioned once.

    Metrics: what `caption_scores` gives, as `caption/cider` and so on; `caption/empty`, the share of images whose
    caption is empty; in the shapes world `caption/colors_and_shapes`, the share of captions that name every colour and
    shape right.

    File: `captions.json`, COCO's result format.

    Args:
        reader: the split.
        write: how captions are written.
        tokenizer: of the captions.
        official: also run the COCO evaluator itself, where it is installed.
    """

    monitored = "caption/cider_d"

    def __init__(
        self, reader: CaptionReader, *, write: CaptionWriter, tokenizer: TextTokenizer, official: bool = False
    ) -> None:
        super().__init__(reader.name, num_samples=len(reader))
        self.reader = reader
        self.write = write
        self.tokenizer = tokenizer
        self.official = official

    def judge(self, model: nn.Module, batch: CaptionBatch) -> Mapping[int, str]:
        samples = batch.sample.tolist()
        written = self.write(model, normalize_pixels(batch.image), keys=samples)
        return dict(zip(samples, map(self.tokenizer.decode, written), strict=True))

    def summarize(self, results: Sequence[str]) -> dict[str, float]:
        places = map(str, range(len(results)))  # image ids need not be unique
        references = {place: self.reader.references(int(place)) for place in places}
        hypotheses = dict(zip(references, results, strict=True))
        scores = caption_scores(references, hypotheses, official=self.official)
        scores["empty"] = self.count_empty(results) / len(results)
        if isinstance(self.reader, ShapesCaptions):
            right = [self.names_looks(index, caption) for index, caption in enumerate(results)]
            scores["colors_and_shapes"] = sum(map(bool, right)) / len(right)
        return {f"caption/{name}": score for name, score in scores.items()}

    def count_empty(self, captions: Sequence[str]) -> int:
        """Number of empty captions, whose images are named in the log."""
        empty = [self.reader.image_id(index) for index, caption in enumerate(captions) if not caption]
        if empty:
            named = ", ".join(empty[:NUM_NAMED]) + (", ..." if len(empty) > NUM_NAMED else "")
            log.warning("%s: %d of %d captions are empty (images %s)", self.name, len(empty), len(captions), named)
        return len(empty)

    def result_files(self, results: Sequence[str]) -> dict[str, ResultFile]:
        rows = [
            {"image_id": result_id(self.reader.image_id(index)), "caption": caption}
            for index, caption in enumerate(results)
        ]
        return {"captions.json": json.dumps(rows) + "\n"}

    def draw(self, batch: CaptionBatch, results: Sequence[str]) -> list[SheetRow]:
        rows = []
        for image, sample, caption in zip(batch.image, batch.sample.tolist(), results, strict=False):
            references = self.reader.references(sample)[:NUM_REFERENCES]
            lines = [SheetLine(caption or "(empty)", self.names_looks(sample, caption))]
            lines += [SheetLine(f"reference: {reference}") for reference in references]
            rows.append(SheetRow((image,), tuple(lines)))
        return rows

    def names_looks(self, index: int, caption: str) -> bool | None:
        """Whether a caption names colour and shape of everything in an image; None where that is not known."""
        return self.reader.names_looks(index, caption) if isinstance(self.reader, ShapesCaptions) else None


def result_id(image_id: str) -> int | str:
    """COCO's number of an image, also from its file name (`COCO_val2014_000000391895.jpg`); others as they are."""
    named = COCO_FILE.fullmatch(image_id)
    if named is not None:
        return int(named["number"])
    return int(image_id) if image_id.isdecimal() and str(int(image_id)) == image_id else image_id
