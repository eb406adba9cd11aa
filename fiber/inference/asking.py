"""One way to ask a model for every task. Axes: R requests."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar

from PIL import Image

from fiber.inference.coarse_input import ImageList
from fiber.inference.detector_encodings import DetectorImageList
from fiber.inference.embedding import Embedding
from fiber.inference.fiber import Fiber
from fiber.inference.prediction import Prediction
from fiber.inference.prediction_config import GENERATION, PredictionConfig, PredictionTask
from fiber.inference.prediction_requests import PredictionRequest, read_lines


class SeenRequest(NamedTuple):
    """A request and its pictures."""

    request: PredictionRequest
    images: tuple[Image.Image, ...]
    """As many as the request names, RGB."""


Answers = Sequence[Sequence[Prediction | Embedding]]
"""For each of R requests, what there is to say: one thing, or one for each of its texts."""
Ask = Callable[[Sequence[SeenRequest]], Answers]
"""Of R requests, 1 at least."""
Side = TypeVar("Side", ImageList, DetectorImageList)
"""One picture of each request, as a model of the one stage or the other takes them."""


def build_asker(model: Fiber, config: PredictionConfig) -> Ask:
    """What asks the model for the task; class lists are read here, once.

    Raises:
        UserError: the model is of another kind, or a list names nothing.
    """
    match config.task:
        case PredictionTask.EMBED:
            return lambda seen: embed(model, seen)
        case PredictionTask.MATCH:
            return lambda seen: match_texts(model, seen)
        case PredictionTask.ANSWER:
            options = config.values_of(("top_k",))

            def answer(sides: Sequence[ImageList], texts: list[str], _: Sequence[SeenRequest]) -> Sequence[Prediction]:
                return model.answer(sides[0], one_for_all(texts), **options)

            return lambda seen: in_rounds(model, seen, answer)
        case PredictionTask.REASON:

            def reason(sides: Sequence[ImageList], texts: list[str], _: Sequence[SeenRequest]) -> Sequence[Prediction]:
                return model.reason(sides[0], sides[1], one_for_all(texts))

            return lambda seen: in_rounds(model, seen, reason)
        case PredictionTask.CAPTION:
            options = config.values_of(GENERATION)
            return lambda seen: [[one] for one in model.caption([one.images[0] for one in seen], **options)]
        case PredictionTask.GROUND:

            def ground(
                sides: Sequence[DetectorImageList], texts: list[str], some: Sequence[SeenRequest]
            ) -> Sequence[Prediction]:
                return model.ground(sides[0], texts, [one.request.phrases for one in some])

            return lambda seen: in_rounds(model, seen, ground)
        case PredictionTask.DETECT:
            names = read_lines(Path(config.classes_file), "classes_file") if config.classes_file else config.classes
            classes = model.encode_classes(names)
            return lambda seen: [[one] for one in model.detect([one.images[0] for one in seen], classes)]


def embed(model: Fiber, seen: Sequence[SeenRequest]) -> Answers:
    """The vector of each picture or text."""
    found: list[list[Embedding]] = []
    for is_text, group in groupby(seen, key=lambda one: one.request.image is None):
        some = list(group)
        if is_text:
            texts = [one.request.texts[0] for one in some]
            found += [[Embedding(*pair)] for pair in zip(model.embed_text(texts), texts, strict=True)]
        else:
            found += [[Embedding(vector)] for vector in model.embed_image([one.images[0] for one in some])]
    return found


def match_texts(model: Fiber, seen: Sequence[SeenRequest]) -> Answers:
    """Each picture with all its texts."""
    found: list[list[Prediction]] = []
    for texts, group in groupby(seen, key=lambda one: one.request.texts):
        found += [[one] for one in model.match([one.images[0] for one in group], texts)]
    return found


def in_rounds(
    model: Fiber,
    seen: Sequence[SeenRequest],
    ask: Callable[[Sequence[Side], list[str], Sequence[SeenRequest]], Sequence[Prediction]],
) -> Answers:
    """The first text of every request, then the second of those that have one, and so on. Where all have as many,
    pictures are looked at once.

    Args:
        model: that looks.
        seen: R requests.
        ask: by the left pictures of some requests and, of pairs, the right ones; a text for each request; and these.
    """
    texts = [one.request.texts for one in seen]
    images = [list(side) for side in zip(*(one.images for one in seen), strict=True)]
    sides: list[Side] = list(images)
    if len({len(own) for own in texts}) == 1 and len(texts[0]) > 1:
        sides = [model.encode_images(side) for side in images]
    found: list[list[Prediction]] = [[] for _ in seen]
    for number in range(max(map(len, texts))):
        rows = [row for row, own in enumerate(texts) if number < len(own)]
        chosen: list[Side] = sides if len(rows) == len(seen) else [[side[row] for row in rows] for side in images]
        results = ask(chosen, [texts[row][number] for row in rows], [seen[row] for row in rows])
        for row, result in zip(rows, results, strict=True):
            found[row].append(result)
    return found


def one_for_all(texts: list[str]) -> str | list[str]:
    """The text that all are, so that it is read once; the texts if they differ."""
    return texts[0] if len(set(texts)) == 1 else texts
