"""Predictions for the pictures and texts that a configuration names."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fiber.data.readers.base import BrokenImageError
from fiber.inference.arguments import batches
from fiber.inference.asking import Ask, SeenRequest, build_asker
from fiber.inference.embedding import Embedding
from fiber.inference.fiber import Fiber
from fiber.inference.image_files import read_image
from fiber.inference.prediction import Prediction
from fiber.inference.prediction_config import DETECTION, PredictionConfig, PredictionTask, prediction_config
from fiber.inference.prediction_files import (
    EMBEDDINGS_FILE,
    LINES_FILE,
    PredictionFiles,
    drawing_names,
    earlier_drawings,
    refuse_overwriting,
    require_folder,
)
from fiber.inference.prediction_requests import PredictionRequest, find_requests
from fiber.utils.errors import UserError

MAX_PRINTED, MAX_LINES = 20, 22
"""Predictions, and lines of each; the files hold all."""


def predict(config: DictConfig) -> tuple[Path, ...]:
    """Ask, write a line and a drawing per prediction, and print the first ones.

    Pictures that cannot be read are left out and named.

    Args:
        config: composed from `configs/predict/predict.yaml`.

    Returns:
        Pictures that cannot be read.

    Raises:
        UserError: anything in the configuration, the model or the texts that the user can mend, or no picture can be
            read; nothing is written before the model is loaded.
        KeyboardInterrupt: the user's, saying how much is written; that stays.
    """
    settings = prediction_config(config)
    requests = find_requests(settings)
    drawings = drawing_names(settings, requests)
    folder = Path(settings.output)
    written = [LINES_FILE, EMBEDDINGS_FILE, *(name for names in drawings for name in names if name is not None)]
    written += earlier_drawings(folder)
    refuse_overwriting(folder, written, files_read(settings, requests))
    require_folder(folder)
    assert settings.checkpoint is not None  # checked by the configuration
    model = Fiber.from_pretrained(
        settings.checkpoint,
        device=settings.device,
        batch_size=settings.batch_size,
        **settings.values_of(DETECTION),
    )
    model.require("embed_image" if settings.task is PredictionTask.EMBED else settings.task.value)
    ask = build_asker(model, settings)
    broken: dict[Path, str] = {}
    with PredictionFiles(folder) as files, late_progress() as bar:
        shown = bar.add_task("predicting", total=len(requests))
        try:
            for row, predictions in answers_to(requests, ask, model.batch_size, broken, bar.console):
                for prediction, drawing in zip(predictions, drawings[row], strict=True):
                    files.write(requests[row], prediction, drawing)
                    if files.number <= MAX_PRINTED:
                        print("\n".join(report(requests[row], prediction, folder, drawing)))
                bar.update(shown, completed=row + 1)
                if files.number >= MAX_PRINTED and not bar.live.is_started:
                    bar.start()  # not before: what is printed would tear it
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(kept_line(files.number, folder)) from interrupt
    if not files.number:
        first = next(iter(broken.values()))
        raise UserError(f"none of the pictures can be read ({first}): give JPEG or PNG files.")
    print(closing_line(files.number, len(broken), folder))
    return tuple(broken)


def answers_to(
    requests: Sequence[PredictionRequest], ask: Ask, batch_size: int, broken: dict[Path, str], console: Console
) -> Iterator[tuple[int, Sequence[Prediction | Embedding]]]:
    """What the model says, a batch of pictures at a time in memory.

    Args:
        requests: what is asked.
        ask: how.
        batch_size: requests that are asked together.
        broken: takes up pictures that cannot be read, and why.
        console: tells of these at once.

    Yields:
        The place of a request and what is said; requests about broken pictures are left out.
    """
    for rows in batches(len(requests), batch_size):
        seen: dict[int, SeenRequest] = {}
        for row, request in enumerate(requests[rows], rows.start):
            images = [image for path in request.images if (image := try_reading(path, broken, console)) is not None]
            if len(images) == len(request.images):
                seen[row] = SeenRequest(request, tuple(images))
        if seen:
            yield from zip(seen, ask(list(seen.values())), strict=True)


def try_reading(path: Path, broken: dict[Path, str], console: Console) -> Image.Image | None:
    """The picture; None if it cannot be read, which is said once."""
    try:
        return read_image(path)
    except BrokenImageError as error:
        if path not in broken:
            broken[path] = str(error)
            console.print(f"left out: {error}", markup=False, highlight=False, soft_wrap=True)
        return None


@contextmanager
def late_progress() -> Iterator[Progress]:
    """A bar on standard error, to be started when it is wanted."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False)
    try:
        yield bar
    finally:
        if bar.live.is_started:
            bar.stop()


def files_read(settings: PredictionConfig, requests: Sequence[PredictionRequest]) -> dict[Path, str]:
    """Files that the predictions are made from, and the words for each."""
    keys = ("text_file", "classes_file", "inputs")
    named = {Path(name): key for key, name in settings.values_of(keys).items()}
    return {image: "picture" for request in requests for image in request.images} | named


def report(
    request: PredictionRequest, prediction: Prediction | Embedding, folder: Path, drawing: str | None
) -> list[str]:
    """What is said, line by line."""
    subject = " and ".join(map(str, request.images)) or request.texts[0]
    said = str(prediction).splitlines()
    lines = [f"{subject}: {said[0] if said else ''}", *(f"  {line.strip()}" for line in said[1:MAX_LINES])]
    if len(said) > MAX_LINES:
        lines.append(f"  and {len(said) - MAX_LINES} more")
    return lines if drawing is None else [*lines, f"  drawn in {folder / drawing}"]


def kept_line(number: int, folder: Path) -> str:
    """How much of an interrupted run there is."""
    return f"{number} prediction{'s' if number != 1 else ''} kept" + (f" in {folder / LINES_FILE}" if number else "")


def closing_line(number: int, broken: int, folder: Path) -> str:
    """How much is written where."""
    unprinted = f", of which {MAX_PRINTED} are printed above" if number > MAX_PRINTED else ""
    left_out = f"; left out: {broken} that cannot be read" if broken else ""
    return f"{number} prediction{'s' if number > 1 else ''}{unprinted}: {folder / LINES_FILE}{left_out}"
