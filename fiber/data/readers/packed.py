"""Shards that `prepare_data.py pack` wrote, read as the data set they were packed from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.base import CaptionReader, ImageReader, Reader
from fiber.data.readers.packed_index import SampleKind
from fiber.data.readers.packed_records import (
    CaptionRecord,
    ObjectRecord,
    PhraseRecord,
    QuestionRecord,
    Record,
    StatementRecord,
)
from fiber.data.readers.packed_samples import PackedSamples
from fiber.data.readers.task_readers import (
    BoxReader,
    DetectionReader,
    EntitiesReader,
    FederatedReader,
    GroundingReader,
    QuestionReader,
    ReferringReader,
    StatementReader,
)
from fiber.data.records import GroundedCaption, LabeledBox, Question, Statement
from fiber.detection.prompts import ClassPrompt


class PackedReader(Reader):
    """Samples in the order of the data set, under its name.

    Args:
        samples: of a folder of shards.
    """

    def __init__(self, samples: PackedSamples) -> None:
        self.samples = samples
        self.name = samples.listing.name
        self.facts = samples.listing.facts

    def __len__(self) -> int:
        return len(self.samples)

    def location(self, index: int) -> str:
        return self.samples.location(index)

    def texts(self) -> Iterator[str]:
        """Those of the data set."""
        if self.facts.texts is not None:
            return iter(self.facts.texts)
        texts: Iterator[str] = KINDS[self.samples.listing.kind].protocol.texts(self)
        return texts

    def encoded_images(self, index: int) -> list[bytes]:
        """As they were packed; empty where one was missing then."""
        return self.samples.encoded_images(index)

    def was_missing(self, index: int) -> bool:
        """Whether a sample was packed without its images."""
        return any(size == 0 for _, size in self.samples.sample(index).images)


class PackedImages(PackedReader, ImageReader):
    """Samples of one image each."""

    def image_id(self, index: int) -> str:
        return str(self.samples.sample(index).record["image_id"])

    def load_image(self, index: int) -> Image.Image:
        (image,) = self.samples.load_images(index)
        return image


class PackedCaptions(PackedImages, CaptionReader):
    """Images with captions."""

    def __init__(self, samples: PackedSamples) -> None:
        super().__init__(samples)
        self.blank_images = self.facts.blank_images

    def record(self, index: int) -> CaptionRecord:
        """What is packed of a sample."""
        return CaptionRecord.read(self.samples.sample(index).record)

    def captions(self, index: int) -> Sequence[str]:
        return self.record(index).captions

    def references(self, index: int) -> Sequence[str]:
        return self.record(index).references

    def caption_counts(self) -> NDArray[np.int64]:
        return np.array(self.samples.index.details, dtype=np.int64)


class PackedQuestions(PackedImages, QuestionReader):
    """Questions about an image each."""

    def __init__(self, samples: PackedSamples) -> None:
        super().__init__(samples)
        self.known_answers = self.facts.known_answers

    def question(self, index: int) -> Question:
        return QuestionRecord.read(self.samples.sample(index).record).question


class PackedStatements(PackedReader, StatementReader):
    """Statements about two images."""

    def statement(self, index: int) -> Statement:
        return StatementRecord.read(self.samples.sample(index).record).statement

    def load_images(self, index: int) -> tuple[Image.Image, Image.Image]:
        left, right = self.samples.load_images(index)
        return left, right


class PackedBoxes(PackedImages, BoxReader):
    """Images with boxes."""

    def sizes(self) -> NDArray[np.int64]:
        return self.samples.index.sizes


class PackedPhrases(PackedBoxes, GroundingReader):
    """Captions whose phrases are tied to boxes."""

    def record(self, index: int) -> PhraseRecord:
        """What is packed of a sample."""
        return PhraseRecord.read(self.samples.sample(index).record)

    def grounded_caption(self, index: int) -> GroundedCaption:
        return self.record(index).caption


class PackedReferring(PackedPhrases, ReferringReader):
    """Expressions that name one object each."""

    def __init__(self, samples: PackedSamples) -> None:
        super().__init__(samples)
        assert self.facts.dataset is not None
        self.dataset = self.facts.dataset


class PackedEntities(PackedPhrases, EntitiesReader):
    """Captions whose phrases are of annotated types."""

    def phrase_types(self, index: int) -> Sequence[tuple[str, ...]]:
        return self.record(index).phrase_types


class PackedObjects(PackedBoxes, DetectionReader):
    """Images with all objects of some classes."""

    def __init__(self, samples: PackedSamples) -> None:
        super().__init__(samples)
        self.classes, self.category_ids = self.facts.classes, self.facts.category_ids

    @property
    def class_prompts(self) -> Sequence[str | ClassPrompt]:
        return self.facts.class_prompts

    def record(self, index: int) -> ObjectRecord:
        """What is packed of a sample."""
        return ObjectRecord.read(self.samples.sample(index).record)

    def objects(self, index: int) -> Sequence[LabeledBox]:
        return self.record(index).objects


class PackedFederated(PackedObjects, FederatedReader):
    """Images that were checked for some of the classes."""

    def __init__(self, samples: PackedSamples) -> None:
        super().__init__(samples)
        self.frequencies = self.facts.frequencies

    def negative_classes(self, index: int) -> Sequence[int]:
        return self.record(index).negative_classes

    def not_exhaustive_classes(self, index: int) -> Sequence[int]:
        return self.record(index).not_exhaustive_classes


class PackedKind(NamedTuple):
    """How samples of one kind are packed and read."""

    protocol: type[Any]
    """Of the readers that can be packed as such, a kind of `Reader`; it is abstract."""
    record: type[Record]
    reader: type[PackedReader]


KINDS: Mapping[SampleKind, PackedKind] = {
    SampleKind.FEDERATED: PackedKind(FederatedReader, ObjectRecord, PackedFederated),
    SampleKind.OBJECTS: PackedKind(DetectionReader, ObjectRecord, PackedObjects),
    SampleKind.ENTITIES: PackedKind(EntitiesReader, PhraseRecord, PackedEntities),
    SampleKind.REFERRING: PackedKind(ReferringReader, PhraseRecord, PackedReferring),
    SampleKind.PHRASES: PackedKind(GroundingReader, PhraseRecord, PackedPhrases),
    SampleKind.STATEMENTS: PackedKind(StatementReader, StatementRecord, PackedStatements),
    SampleKind.QUESTIONS: PackedKind(QuestionReader, QuestionRecord, PackedQuestions),
    SampleKind.CAPTIONS: PackedKind(CaptionReader, CaptionRecord, PackedCaptions),
}
"""The particular before the general."""


def find_kind(reader: Reader) -> SampleKind:
    """What a reader reads."""
    return next(kind for kind, packed in KINDS.items() if isinstance(reader, packed.protocol))


def read_packed(folder: str, *, max_lost: float = 0.0) -> PackedReader:
    """Read a folder of shards, whatever was packed.

    Sample `i` is sample `i` of the data set, unless a shard is lost: its samples are left out, and the log names it.

    Args:
        folder: holds `shards.json` and the shards that it lists.
        max_lost: share of the samples, in [0, 1], that may be lost; 0 where models are judged.

    Returns:
        A reader of the kind that was packed.

    Raises:
        UserError: there is no index, packing did not come to its end, more is lost, or a shard is damaged.
    """
    samples = PackedSamples(folder, max_lost=max_lost)
    return KINDS[samples.listing.kind].reader(samples)
