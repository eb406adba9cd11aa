"""What a reader, or training on it, leaves out of its annotations."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from fiber.data.box_annotations import CaptionAnnotations
from fiber.data.box_cleaning import clean_boxes
from fiber.data.defects import DefectKind
from fiber.data.grounding_dataset import clean_annotation
from fiber.data.readers.base import CaptionReader, Reader
from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.mdetr_grounding import MdetrGrounding
from fiber.data.readers.task_readers import BoxReader, DetectionReader, GroundingReader

BLANK_CAPTIONS = "an image all of whose captions are blank"
UNLISTED_IMAGE = "an annotation of an image that the file does not list"
UNKNOWN_SIDE = sys.maxsize
"""Pixels of an image whose annotations state no size, in which every box fits."""


def left_out(reader: Reader, *, training: bool) -> Mapping[str, int]:
    """Count what is left out, by kind in words.

    Args:
        reader: of the split.
        training: also count boxes, phrases and captions that cannot be trained on, going by the stated sizes of the
            images; where models are judged all are kept.
    """
    counts = Counter[str]()
    if isinstance(reader, CaptionReader):
        counts[BLANK_CAPTIONS] += len(reader.blank_images)
    if isinstance(reader, CocoDetection | MdetrGrounding):
        counts[UNLISTED_IMAGE] += reader.left_out.annotations
    if training and isinstance(reader, BoxReader):
        counts.update(map(str, defects(reader)))
    return {kind: count for kind, count in sorted(counts.items()) if count}


def defects(reader: BoxReader) -> Iterator[DefectKind]:
    """Everything that training on a reader passes over."""
    for index, (height, width) in enumerate(reader.sizes().tolist()):
        size = (width, height) if height and width else (UNKNOWN_SIDE, UNKNOWN_SIDE)
        if isinstance(reader, GroundingReader):
            annotation = CaptionAnnotations(reader).annotation(index, np.random.default_rng(0))
            if annotation.text.strip():
                yield from clean_annotation(annotation, size).defects
            else:
                yield DefectKind.CAPTION_EMPTY
        elif isinstance(reader, DetectionReader):
            boxes = [item.box for item in reader.objects(index) if not item.is_crowd]
            yield from clean_boxes(boxes, size).defects
