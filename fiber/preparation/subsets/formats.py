"""What makes a small copy of each format."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fiber.data.readers.arrow import ArrowPairs
from fiber.data.readers.arrow_questions import ArrowQuestions
from fiber.data.readers.arrow_statements import ArrowStatements
from fiber.data.readers.base import Reader
from fiber.data.readers.coco_captions import CocoCaptions
from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.flickr30k_entities import Flickr30kEntities
from fiber.data.readers.grounding_jsonl import GroundingJsonl
from fiber.data.readers.jsonl import JsonlPairs
from fiber.data.readers.karpathy import KarpathyCaptions
from fiber.data.readers.mdetr_grounding import MdetrGrounding
from fiber.data.readers.nlvr2 import Nlvr2Statements
from fiber.data.readers.objects365_tsv import Objects365Tsv
from fiber.data.readers.packed import PackedReader
from fiber.data.readers.refer import ReferExpressions
from fiber.data.readers.visual_genome import VisualGenomeRegions
from fiber.data.readers.vqa import VqaQuestions
from fiber.data.readers.webdataset import WebDatasetPairs
from fiber.preparation.subsets.arrow_tables import write_arrow
from fiber.preparation.subsets.chosen_samples import ChosenSamples
from fiber.preparation.subsets.coco_layout import write_coco_layout
from fiber.preparation.subsets.flickr30k_entities import write_entities
from fiber.preparation.subsets.json_lines import write_json_lines, write_nlvr2
from fiber.preparation.subsets.karpathy_splits import write_karpathy
from fiber.preparation.subsets.objects365_tables import write_objects365
from fiber.preparation.subsets.packed_shards import write_packed
from fiber.preparation.subsets.refer_expressions import write_refer
from fiber.preparation.subsets.shards import write_shards
from fiber.preparation.subsets.small_folder import SmallFolder
from fiber.preparation.subsets.visual_genome import write_visual_genome
from fiber.preparation.subsets.vqa_questions import write_vqa

SubsetWriter = Callable[[Sequence[ChosenSamples[Any]], SmallFolder], None]
"""Writes all that was chosen of the readers of a format, but not image files."""

WRITERS: Mapping[type[Reader], SubsetWriter] = {
    CocoCaptions: write_coco_layout,
    CocoDetection: write_coco_layout,  # also LVIS, ODinW and folders of the user's own
    MdetrGrounding: write_coco_layout,
    KarpathyCaptions: write_karpathy,
    VisualGenomeRegions: write_visual_genome,
    VqaQuestions: write_vqa,
    Nlvr2Statements: write_nlvr2,
    JsonlPairs: write_json_lines,
    GroundingJsonl: write_json_lines,
    ReferExpressions: write_refer,
    Flickr30kEntities: write_entities,
    Objects365Tsv: write_objects365,
    ArrowPairs: write_arrow,
    ArrowQuestions: write_arrow,
    ArrowStatements: write_arrow,
    WebDatasetPairs: write_shards,
    PackedReader: write_packed,
}
"""By kind of reader, which includes the classes derived from it. No two kinds are derived from each other."""


def writer_of(reader: Reader) -> SubsetWriter | None:
    """What makes a small copy of what a reader reads; None where nothing does."""
    return next((writer for kind, writer in WRITERS.items() if isinstance(reader, kind)), None)
