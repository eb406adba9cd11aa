"""Predictions for the pictures that a configuration names."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from PIL import Image

from fiber.inference.grounding import GroundingModel
from fiber.inference.image_files import find_images, output_stems, read_image
from fiber.inference.results import GroundingResult
from fiber.utils.configs import build_dataclass, convert, plain
from fiber.utils.errors import UserError

MAX_PRINTED = 20
"""Detections of a picture; its files hold all."""

Ask = Callable[[Image.Image], GroundingResult]


class PredictionTask(StrEnum):
    """What is asked of a model."""

    GROUND = "ground"
    """Boxes for the phrases of a text."""
    DETECT = "detect"
    """Boxes for a list of classes."""


@dataclass(frozen=True, kw_only=True)
class PredictionConfig:
    """What is asked, of which model, about which pictures; `configs/predict/predict.yaml` key by key."""

    task: PredictionTask
    checkpoint: str | None
    image: Sequence[str]
    text: str | None
    classes: Sequence[str]
    classes_file: str | None
    output: str
    score_threshold: float
    max_detections: int
    short_side: int | None
    device: str

    def __post_init__(self) -> None:
        if self.checkpoint is None:
            raise UserError("checkpoint is missing: give the directory of a run, or a checkpoint in one.")
        classes = self.classes or self.classes_file is not None
        if self.task is PredictionTask.GROUND and (self.text is None or classes):
            raise UserError(
                "task=ground takes a text and no classes: give text='[a small dog] chases [two black cats]', or choose "
                "task=detect."
            )
        if self.task is PredictionTask.DETECT and (self.text is not None or not classes):
            raise UserError(
                "task=detect takes classes and no text: give classes=[person,dog] or classes_file=names.txt, or choose "
                "task=ground."
            )
        if self.classes and self.classes_file is not None:
            raise UserError(f"classes and classes_file={self.classes_file} are both given: give one of them.")


def predict(config: DictConfig) -> list[GroundingResult]:
    """Ask, write a JSON file and a drawing per picture, and print what was found.

    Args:
        config: composed from `configs/predict/predict.yaml`.

    Raises:
        UserError: anything in the configuration, the run or the pictures that the user can mend; nothing is written
            before the model is loaded.
    """
    settings = prediction_config(config)
    images = find_images(settings.image)
    names = read_names(Path(settings.classes_file)) if settings.classes_file is not None else list(settings.classes)
    outputs = [Path(settings.output) / stem for stem in output_stems(images)]
    refuse_overwriting(outputs, images)
    ask = build_question(settings, names)
    results = []
    for path, output in zip(images, outputs, strict=True):
        result = ask(read_image(path))
        write_result(result, path, output)
        print("\n".join(report(result, path, output, settings.score_threshold)))
        results.append(result)
    return results


def prediction_config(config: DictConfig) -> PredictionConfig:
    """The configuration, a single picture or class as a list of one."""
    values = plain(config)
    values["task"] = convert(PredictionTask, values["task"], "task")
    for key in ("image", "classes"):
        values[key] = as_texts(values[key])
    return build_dataclass(PredictionConfig, values, "predict")


def as_texts(value: Any) -> list[str]:
    """None, one value or several as texts."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def read_names(path: Path) -> list[str]:
    """Class names, one per line; blank lines are left out.

    Raises:
        UserError: there is no such file, it is no text, or it has no name.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"classes_file={path} cannot be read ({error}): give a text file, one name per line."
        ) from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise UserError(f"classes_file={path} names nothing: give one name per line.")
    return names


def refuse_overwriting(outputs: Sequence[Path], images: Sequence[Path]) -> None:
    """Raise `UserError` if a drawing would take the place of a picture."""
    own = {image.resolve(): image for image in images}
    for output in outputs:
        picture = own.get(output.with_name(f"{output.name}.png").resolve())
        if picture is not None:
            raise UserError(f"output={output.parent} would overwrite the picture {picture}: give another folder.")


def build_question(settings: PredictionConfig, names: Sequence[str]) -> Ask:
    """Load the model; what is returned asks it about one picture."""
    assert settings.checkpoint is not None  # checked by the configuration
    model = GroundingModel.from_run(
        settings.checkpoint,
        device=settings.device,
        short_side=settings.short_side,
        score_threshold=settings.score_threshold,
        max_detections=settings.max_detections,
    )
    if settings.task is PredictionTask.DETECT:
        classes = model.encode_classes(names)
        return lambda image: model.detect_one(image, classes)
    assert settings.text is not None
    prompt = model.prompt(settings.text)
    return lambda image: model.ground_one(image, prompt)


def write_result(result: GroundingResult, image: Path, output: Path) -> None:
    """Write `output`.json and `output`.png."""
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {"image": str(image), **result.to_json()}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    output.with_name(f"{output.name}.json").write_text(text + "\n", encoding="utf-8")
    result.draw().save(output.with_name(f"{output.name}.png"))


def report(result: GroundingResult, image: Path, output: Path, score_threshold: float) -> list[str]:
    """What was found, line by line."""
    if not result.detections:
        found = [f"{image}: nothing with a score of {score_threshold} or more (score_threshold)"]
    else:
        found = [f"{image}: {len(result.detections)} found"]
        found += [f"  {one}" for one in result.detections[:MAX_PRINTED]]
    if len(result.detections) > MAX_PRINTED:
        found += [f"  and {len(result.detections) - MAX_PRINTED} more"]
    return [*found, f"  written to {output}.json and {output}.png"]
