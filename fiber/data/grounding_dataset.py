"""Images with texts and boxes to train on.

Axes: K boxes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from fiber.data.batch import SampleKey
from fiber.data.box_annotations import BoxAnnotation, BoxAnnotations
from fiber.data.box_cleaning import clean_boxes
from fiber.data.broken_images import Replacements
from fiber.data.defects import Defect, DefectKind
from fiber.data.direction_words import swap_directions
from fiber.data.grounding_batch import GroundingSample
from fiber.data.grounding_transforms import GroundingTransform
from fiber.data.readers.base import BrokenImageError
from fiber.data.records import Span
from fiber.utils.errors import UserError


class GroundingDataset(Dataset[GroundingSample]):
    """One reader's images with their texts and boxes.

    What cannot be trained on is passed over and reported: broken images and empty captions give way to a random other
    sample, boxes and phrases at fault are left out. Images without boxes train on their text as negatives.

    Args:
        annotations: texts and boxes of the reader's images.
        transform: picture and boxes to pixels.
        seed: of the random choices, which also depend on the draw.
        indices: the samples to use, places in the reader; None = all.

    Raises:
        UserError: the reader is empty.
    """

    def __init__(
        self,
        annotations: BoxAnnotations,
        *,
        transform: GroundingTransform,
        seed: int,
        indices: Sequence[int] | None = None,
    ) -> None:
        self.annotations = annotations
        self.reader = annotations.reader
        self.transform = transform
        self.seed = seed
        if len(self.reader) == 0:
            raise UserError(f"{self.reader.name}: the split holds no image.")
        self.indices: Sequence[int] = range(len(self.reader)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def aspect_groups(self) -> NDArray[np.int64]:
        """0 = wider than high or unknown, 1 = the others; of every sample."""
        sizes = self.reader.sizes()[np.asarray(self.indices)]
        taller: NDArray[np.bool_] = (sizes[:, 0] >= sizes[:, 1]) & (sizes[:, 1] > 0)
        return taller.astype(np.int64)

    def __getitem__(self, key: SampleKey) -> GroundingSample:
        """Read one sample.

        Raises:
            UserError: ten samples in a row cannot be used.
        """
        rng = np.random.default_rng([self.seed, key.draw])
        replacements = Replacements(self.reader.name, training=True)
        defects: list[Defect] = []
        index = self.indices[key.sample]
        while True:
            annotation = self.annotations.annotation(index, rng)
            location = self.reader.location(index)
            try:
                if annotation.text.strip() or not self.annotations.has_captions:
                    image = self.reader.load_image(index)
                    break
                defects.append(Defect(DefectKind.CAPTION_EMPTY, location))
                replacements.count(f"{location} (empty caption)")
            except BrokenImageError as error:
                replacements.pass_over(location, error)
            index = self.indices[int(rng.integers(len(self)))]
        cleaned = clean_annotation(annotation, image.size)
        defects += [Defect(kind, location) for kind in cleaned.defects]
        return self.transformed(image, cleaned, location, key, tuple(replacements.broken), tuple(defects), rng)

    def transformed(
        self,
        image: Image.Image,
        annotation: "CleanAnnotation",
        location: str,
        key: SampleKey,
        broken: tuple[str, ...],
        defects: tuple[Defect, ...],
        rng: np.random.Generator,
    ) -> GroundingSample:
        """The sample as the model sees it."""
        boxes = torch.tensor(annotation.boxes, dtype=torch.float32).view(-1, 4)
        seen = self.transform(image, boxes, rng)
        text, spans = annotation.text, annotation.spans
        if seen.flipped and self.annotations.has_captions:
            text, spans = swap_in_rows(text, spans)
        return GroundingSample(seen.image, text, seen.boxes, spans, location, key, broken, defects)


class CleanAnnotation(NamedTuple):
    """A text and boxes that can be trained on."""

    text: str
    boxes: Sequence[tuple[float, float, float, float]]
    spans: tuple[tuple[Span, ...], ...]
    defects: list[DefectKind]


def clean_annotation(annotation: BoxAnnotation, size: tuple[int, int]) -> CleanAnnotation:
    """Leave out boxes without area, outside of the image or named by no words, and phrases outside of the text.

    Args:
        annotation: as annotated.
        size: width and height of the image.
    """
    text = annotation.text
    named, spans = [], []
    # A phrase may name many boxes: its span is one defect.
    outside = {span for row in annotation.spans for span in row if not 0 <= span[0] < span[1] <= len(text)}
    defects = [DefectKind.SPAN_OUTSIDE] * len(outside)
    for box, row in zip(annotation.boxes, annotation.spans, strict=True):
        inside = tuple(span for span in row if span not in outside)
        if inside:
            named.append(box)
            spans.append(inside)
        else:
            defects.append(DefectKind.BOX_UNNAMED)
    clean = clean_boxes(named, size)
    return CleanAnnotation(text, clean.boxes, tuple(spans[place] for place in clean.kept), [*defects, *clean.defects])


def swap_in_rows(text: str, rows: Sequence[Sequence[Span]]) -> tuple[str, tuple[tuple[Span, ...], ...]]:
    """`swap_directions` for spans in rows."""
    swapped, flat = swap_directions(text, [span for row in rows for span in row])
    spans = iter(flat)
    return swapped, tuple(tuple(next(spans) for _ in row) for row in rows)
