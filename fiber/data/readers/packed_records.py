"""What a shard keeps of a sample beside its pictures: plain objects, as json holds them."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from fiber.data.readers.task_readers import EntitiesReader, FederatedReader
from fiber.data.records import Answer, GroundedCaption, LabeledBox, Phrase, Question, Statement


class Record(Protocol):
    """What a shard keeps of samples of one kind."""

    @classmethod
    def of(cls, reader: Any, index: int) -> tuple[Any, ...]:
        """Of a sample of a reader."""
        ...


class CaptionRecord(NamedTuple):
    """Of an image with captions."""

    image_id: str
    captions: tuple[str, ...]
    references: tuple[str, ...]

    @classmethod
    def of(cls, reader: Any, index: int) -> "CaptionRecord":
        """Of a sample of a reader."""
        return cls(reader.image_id(index), tuple(reader.captions(index)), tuple(reader.references(index)))

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "CaptionRecord":
        """From json."""
        return cls(content["image_id"], tuple(content["captions"]), tuple(content["references"]))


class QuestionRecord(NamedTuple):
    """Of a question."""

    image_id: str
    question: Question

    @classmethod
    def of(cls, reader: Any, index: int) -> "QuestionRecord":
        """Of a sample of a reader."""
        return cls(reader.image_id(index), reader.question(index))

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "QuestionRecord":
        """From json."""
        question = Question(**content["question"])
        answers = tuple(Answer(**answer) for answer in content["question"]["answers"])
        return cls(
            content["image_id"],
            question._replace(answers=answers, annotated_answers=tuple(question.annotated_answers)),
        )


class StatementRecord(NamedTuple):
    """Of a statement about two images."""

    statement: Statement

    @classmethod
    def of(cls, reader: Any, index: int) -> "StatementRecord":
        """Of a sample of a reader."""
        return cls(reader.statement(index))

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "StatementRecord":
        """From json."""
        return cls(Statement(**content["statement"]))


class PhraseRecord(NamedTuple):
    """Of a caption with boxes."""

    image_id: str
    caption: GroundedCaption
    phrase_types: tuple[tuple[str, ...], ...]
    """Of every phrase, where they are annotated."""

    @classmethod
    def of(cls, reader: Any, index: int) -> "PhraseRecord":
        """Of a sample of a reader."""
        types = reader.phrase_types(index) if isinstance(reader, EntitiesReader) else ()
        return cls(reader.image_id(index), reader.grounded_caption(index), tuple(types))

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "PhraseRecord":
        """From json."""
        phrases = tuple(
            Phrase(tuple(map(tuple, phrase["spans"])), tuple(map(tuple, phrase["boxes"])))
            for phrase in content["caption"]["phrases"]
        )
        types = tuple(tuple(types) for types in content["phrase_types"])
        return cls(content["image_id"], GroundedCaption(content["caption"]["text"], phrases), types)


class ObjectRecord(NamedTuple):
    """Of an image with objects."""

    image_id: str
    objects: tuple[LabeledBox, ...]
    negative_classes: tuple[int, ...]
    """Of data of which not every image was checked for every class, as the following."""
    not_exhaustive_classes: tuple[int, ...]

    @classmethod
    def of(cls, reader: Any, index: int) -> "ObjectRecord":
        """Of a sample of a reader."""
        federated = isinstance(reader, FederatedReader)
        return cls(
            reader.image_id(index),
            tuple(reader.objects(index)),
            tuple(reader.negative_classes(index)) if federated else (),
            tuple(reader.not_exhaustive_classes(index)) if federated else (),
        )

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "ObjectRecord":
        """From json."""
        return cls(
            content["image_id"],
            tuple(LabeledBox(**one | {"box": tuple(one["box"])}) for one in content["objects"]),
            tuple(content["negative_classes"]),
            tuple(content["not_exhaustive_classes"]),
        )


def to_json(value: Any) -> Any:
    """Named tuples as objects, other tuples as lists."""
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        items = [to_json(item) for item in value]
        return items if fields is None else dict(zip(fields, items, strict=True))
    return value
