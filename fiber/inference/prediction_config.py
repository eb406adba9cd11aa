"""What the user asks for: `configs/predict/predict.yaml` key by key, and which task takes which keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from omegaconf import DictConfig

from fiber.generation.caption_generator import Search
from fiber.utils.configs import build_dataclass, convert, plain
from fiber.utils.errors import UserError


class PredictionTask(StrEnum):
    """What is asked of a model."""

    EMBED = "embed"
    """Vectors of pictures and of texts."""
    MATCH = "match"
    """How well each text fits a picture."""
    ANSWER = "answer"
    """Answers to questions about a picture."""
    REASON = "reason"
    """Whether statements hold for a pair of pictures."""
    CAPTION = "caption"
    """What is to be seen."""
    GROUND = "ground"
    """Boxes for the phrases of a text."""
    DETECT = "detect"
    """Boxes for a list of classes."""


class TaskKeys(NamedTuple):
    """Keys of the configuration that not every task takes."""

    needs: tuple[str, ...]
    """Without these there is nothing to ask."""
    takes: tuple[str, ...]
    """Those that may be left out."""
    example: str
    """What a user may type."""
    one_per_text: bool = False
    """Whether something is said of each text; else one thing of a picture, or of a text."""

    @property
    def line_needs(self) -> tuple[str, ...]:
        """Keys that a line of `inputs` must have."""
        return tuple(key for key in self.needs if key in LINE_KEYS)

    @property
    def line_takes(self) -> tuple[str, ...]:
        """Keys that it may have besides."""
        return tuple(key for key in self.takes if key in LINE_KEYS and key not in self.needs)


TEXT, CLASSES = ("text", "text_file"), ("classes", "classes_file")
GENERATION = ("search", "num_beams", "max_length", "length_penalty", "temperature")
DETECTION = ("score_threshold", "max_detections", "short_side")
LINE_KEYS = ("image", "second_image", "text", "phrases")
"""What the lines of `inputs` say, by their own keys."""
IN_LINES = (*LINE_KEYS, "text_file")
"""What is said there and not by the configuration."""

TASK_KEYS: Mapping[PredictionTask, TaskKeys] = {
    PredictionTask.EMBED: TaskKeys((), ("image", *TEXT), "image=photos text_file=captions.txt"),
    PredictionTask.MATCH: TaskKeys(("image", "text"), TEXT, "image=cat.jpg text='[a dog,a cat]'"),
    PredictionTask.ANSWER: TaskKeys(
        ("image", "text"), (*TEXT, "top_k"), "image=cat.jpg text='what color is the cat?'", one_per_text=True
    ),
    PredictionTask.REASON: TaskKeys(
        ("image", "second_image", "text"),
        TEXT,
        "image=left.jpg second_image=right.jpg text='both show a dog'",
        one_per_text=True,
    ),
    PredictionTask.CAPTION: TaskKeys(("image",), GENERATION, "image=cat.jpg"),
    PredictionTask.GROUND: TaskKeys(
        ("image", "text"),
        (*TEXT, "phrases", *DETECTION),
        "image=cat.jpg text='[a small dog] chases [two black cats]'",
        one_per_text=True,
    ),
    PredictionTask.DETECT: TaskKeys(
        ("image", "classes"), (*CLASSES, *DETECTION), "image=cat.jpg classes=[person,dog], or classes_file=names.txt"
    ),
}


@dataclass(frozen=True, kw_only=True)
class PredictionConfig:
    """What is asked, of which model, about which pictures. None, or an empty list, is what the user leaves out."""

    task: PredictionTask
    checkpoint: str | None
    image: Sequence[str]
    second_image: Sequence[str]
    text: Sequence[str]
    text_file: str | None
    phrases: Sequence[str]
    classes: Sequence[str]
    classes_file: str | None
    inputs: str | None
    output: str
    draw: bool
    batch_size: int | None
    device: str
    top_k: int | None
    search: Search | None
    num_beams: int | None
    max_length: int | None
    length_penalty: float | None
    temperature: float | None
    score_threshold: float | None
    max_detections: int | None
    short_side: int | None

    def __post_init__(self) -> None:
        self.refuse_contradictions()
        keys = TASK_KEYS[self.task]
        own = {key for task in TASK_KEYS.values() for key in (*task.needs, *task.takes)}
        foreign = [key for key in self.given(own) if key not in (*keys.needs, *keys.takes)]
        if foreign:
            raise UserError(f"task={self.task} takes no {foreign[0]}: type {keys.example}.")
        needs = [key for key in keys.needs if self.inputs is None or key not in IN_LINES]
        missing = next((key for key in needs if not self.given({key, f"{key}_file"})), "")
        if self.task is PredictionTask.EMBED and self.inputs is None and not self.given({"image", *TEXT}):
            missing = "image or text"
        if missing:
            raise UserError(f"{missing} is missing: task={self.task} is asked by, for example, {keys.example}.")
        if len(self.text) > 1 and self.phrases:
            raise UserError(f"phrases are of one text, and text has {len(self.text)}: give inputs=FILE.jsonl.")

    def refuse_contradictions(self) -> None:
        """Raise `UserError` for what no task takes."""
        if self.checkpoint is None:
            raise UserError(
                "checkpoint is missing: give the directory of a run or of an exported model, or a checkpoint in one."
            )
        for key in ("text", "classes"):
            if len(self.given({key, f"{key}_file"})) == 2:
                file = getattr(self, f"{key}_file")
                raise UserError(f"{key} and {key}_file={file} are both given: give one of them.")
        twice = self.given(set(IN_LINES)) if self.inputs is not None else []
        if twice:
            raise UserError(f"inputs={self.inputs} and {twice[0]} are both given: say in the lines of the file what.")
        for number in ("batch_size", "top_k", "num_beams"):
            value = getattr(self, number)
            if value is not None and value < 1:
                raise UserError(f"{number}={value}: give 1 or more.")

    def given(self, keys: set[str]) -> list[str]:
        """Those of the keys that the user gives, in the order of the configuration."""
        names = [name for name in self.__dataclass_fields__ if name in keys]
        return [name for name in names if getattr(self, name) not in (None, ())]

    def values_of(self, keys: Sequence[str]) -> dict[str, Any]:
        """Values of those keys that the user gives."""
        return {key: getattr(self, key) for key in self.given(set(keys))}


def prediction_config(config: DictConfig) -> PredictionConfig:
    """The configuration, one picture, text or class as a list of one.

    Raises:
        UserError: a key is wrong, missing, or none of the task's.
    """
    values = plain(config)
    values["task"] = convert(PredictionTask, values["task"], "task")
    if values["search"] is not None:
        values["search"] = convert(Search, values["search"], "search")
    for key in ("image", "second_image", "text", "phrases", "classes"):
        values[key] = as_texts(values[key])
    return build_dataclass(PredictionConfig, values, "predict")


def as_texts(value: Any) -> tuple[str, ...]:
    """None, one value or several as texts."""
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
