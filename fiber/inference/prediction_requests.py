"""What is asked about which picture."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fiber.inference.image_files import find_images
from fiber.inference.prediction_config import TASK_KEYS, PredictionConfig, PredictionTask
from fiber.utils.errors import UserError


class PredictionRequest(NamedTuple):
    """A picture, or a pair of them, with all that is asked about it."""

    image: Path | None
    """None where a text is embedded."""
    second_image: Path | None = None
    """The right one of a pair."""
    texts: tuple[str, ...] = ()
    phrases: tuple[str, ...] | None = None
    """Of the only text; None where the text itself says which."""

    @property
    def images(self) -> tuple[Path, ...]:
        """The picture or pictures."""
        return tuple(path for path in (self.image, self.second_image) if path is not None)


def find_requests(config: PredictionConfig) -> list[PredictionRequest]:
    """All that the configuration asks; every picture exists, but it may be none that can be read.

    Raises:
        UserError: a file is missing or says something else, or pictures do not pair up.
    """
    if config.inputs is not None:
        return requests_of_lines(Path(config.inputs), config.task)
    texts = tuple(read_lines(Path(config.text_file), "text_file") if config.text_file else config.text)
    if config.task is PredictionTask.EMBED:
        images = find_images(config.image) if config.image else []
        return [*(PredictionRequest(image) for image in images), *embedded_texts(texts)]
    if config.task is PredictionTask.REASON:
        left = find_images(config.image, repeats=True)
        right = find_images(config.second_image, "second_image", repeats=True)
        if len(left) != len(right):
            raise UserError(
                f"image gives {len(left)} pictures and second_image {len(right)}: give as many of both, or name the "
                "pairs in inputs=FILE.jsonl."
            )
        return [PredictionRequest(*pair, texts) for pair in zip(left, right, strict=True)]
    phrases = tuple(config.phrases) or None
    return [PredictionRequest(image, None, texts, phrases) for image in find_images(config.image)]


def requests_of_lines(path: Path, task: PredictionTask) -> list[PredictionRequest]:
    """A request per line of a file, a JSON object each.

    Args:
        path: of the file, from whose folder relative paths of pictures start.
        task: says which keys a line has: `image`, `second_image`, `text` (one or a list), `phrases`.

    Raises:
        UserError: the file cannot be read, or a line is something else, has other keys or names no file.
    """
    requests: list[PredictionRequest] = []
    for number, line in enumerate(read_lines(path, "inputs"), start=1):
        where = f"inputs={path}, line {number}"
        try:
            content = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{where} is no JSON ({error}): write {example(task)}.") from error
        requests += requests_of(content, task, path.parent, where)
    return requests


def requests_of(content: Any, task: PredictionTask, folder: Path, where: str) -> list[PredictionRequest]:
    """What a line asks: one request, or, where both are embedded, one for the picture and one for each text."""
    keys = TASK_KEYS[task]
    known = (*keys.line_needs, *keys.line_takes)
    if not isinstance(content, dict) or not set(keys.line_needs) <= content.keys() <= set(known) or not content:
        raise UserError(f"{where} is not as task={task} takes it: write {example(task)}.")
    values = {key: listed(content, key, where) for key in known}
    for key in ("image", "second_image"):
        if len(values.get(key, ())) > 1:
            raise UserError(f"{where}: {key} is a list: write a line for each picture.")
    if values.get("phrases") and len(values["text"]) > 1:
        raise UserError(f"{where}: phrases are of one text, and text is a list: write a line for each.")
    images = [folder / name for key in ("image", "second_image") for name in values.get(key, ())]
    for image in images:
        if not image.is_file():
            raise UserError(f"{where}: {image} does not exist: give a path, from the folder of the file if relative.")
    texts = values.get("text", ())
    if task is PredictionTask.EMBED:
        return [*map(PredictionRequest, images), *embedded_texts(texts)]
    right = images[1] if len(images) > 1 else None
    return [PredictionRequest(images[0], right, texts, values.get("phrases") or None)]


def listed(content: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """The texts under a key, one as a list of one; none where the key is absent."""
    value = content.get(key, [])
    values = value if isinstance(value, list) else [value]
    if (key in content and not values) or not all(isinstance(one, str) and one.strip() for one in values):
        raise UserError(f"{where}: {key} is {value!r}: write words, or a list of such.")
    return tuple(values)


def embedded_texts(texts: Sequence[str]) -> list[PredictionRequest]:
    """A request for each text by itself."""
    return [PredictionRequest(None, texts=(text,)) for text in texts]


def example(task: PredictionTask) -> str:
    """What a line may look like."""
    needed, possible = TASK_KEYS[task].line_needs, TASK_KEYS[task].line_takes
    values = {"image": "a.jpg", "second_image": "b.jpg", "text": "a small dog", "phrases": ["dog"]}
    shown = json.dumps({key: values[key] for key in needed or possible})
    return shown + (f", {' and '.join(possible)} if you like" if needed and possible else "")


def read_lines(path: Path, key: str) -> list[str]:
    """Texts, one per line; blank lines are left out.

    Args:
        path: of the file.
        key: of the configuration, for messages.

    Raises:
        UserError: there is no such file, it is no text, or it has no line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{key}={path} cannot be read ({error}): give a text file, one entry per line.") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise UserError(f"{key}={path} names nothing: give one entry per line.")
    return found
