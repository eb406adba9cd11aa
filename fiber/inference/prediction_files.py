"""What is written about pictures.

predictions.jsonl        a line for each prediction, as soon as it is there
NAME.png                 its drawing, NAME being the picture's, numbered where it has several
embeddings.safetensors   of task=embed: `image` N P and `text` M P, whose rows the lines name
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import torch
from torch import Tensor

from fiber.checkpoints.tensor_file import write_tensors
from fiber.inference.embedding import Embedding
from fiber.inference.image_files import output_stems
from fiber.inference.prediction import Prediction
from fiber.inference.prediction_config import TASK_KEYS, PredictionConfig, PredictionTask
from fiber.inference.prediction_requests import PredictionRequest
from fiber.utils.errors import UserError

LINES_FILE, EMBEDDINGS_FILE = "predictions.jsonl", "embeddings.safetensors"


class PredictionFiles:
    """Files in one folder, which is made when there is something to write; used in a `with` statement.

    Those of earlier predictions go then, with the drawings that their lines name; whatever else is there stays.
    Embeddings are written when it ends, whatever ends it: vectors of a run that is interrupted are there too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: TextIO | None = None
        self.vectors: dict[str, list[Tensor]] = {}
        self.number = 0
        """Of predictions so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.lines is not None:
            self.lines.close()
        if self.vectors:
            tensors = {side: torch.stack(vectors) for side, vectors in self.vectors.items()}
            write_tensors(tensors, self.folder / EMBEDDINGS_FILE)

    def write(self, request: PredictionRequest, prediction: Prediction | Embedding, drawing: str | None) -> None:
        """One prediction: its line and its drawing, or its vector.

        Args:
            request: that was asked.
            prediction: what the model says.
            drawing: name of the drawing's file; None draws nothing.
        """
        content: dict[str, Any] = {}
        if request.image is not None:
            content["image"] = str(request.image)
        if request.second_image is not None:
            content["second_image"] = str(request.second_image)
        if isinstance(prediction, Embedding):
            side = "image" if prediction.text is None else "text"
            rows = self.vectors.setdefault(side, [])
            content |= {"row": len(rows)} if prediction.text is None else {"text": prediction.text, "row": len(rows)}
            rows.append(prediction.vector)
        else:
            content |= prediction.to_json()
            if drawing is not None:
                content["drawing"] = drawing
        if self.lines is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in earlier_drawings(self.folder):
                (self.folder / name).unlink(missing_ok=True)
            self.lines = (self.folder / LINES_FILE).open("w", encoding="utf-8")
        if drawing is not None and not isinstance(prediction, Embedding):
            prediction.draw().save(self.folder / drawing)
        print(json.dumps(content, ensure_ascii=False), file=self.lines, flush=True)
        self.number += 1


def drawing_names(config: PredictionConfig, requests: Sequence[PredictionRequest]) -> list[list[str | None]]:
    """For each request, a name for the drawing of each prediction; None where nothing is drawn."""
    counts = [len(one.texts) if TASK_KEYS[config.task].one_per_text else 1 for one in requests]
    if not config.draw or config.task is PredictionTask.EMBED:
        return [[None] * count for count in counts]
    subjects = [one.images[0] for one, count in zip(requests, counts, strict=True) for _ in range(count)]
    names = iter(output_stems(subjects))
    return [[f"{next(names)}.png" for _ in range(count)] for count in counts]


def earlier_drawings(folder: Path) -> list[str]:
    """Names of the drawings in a folder by the lines of earlier predictions; none where there are no such lines."""
    try:
        lines = (folder / LINES_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    names = [drawing_of(line) for line in lines]
    return [name for name in names if name is not None and (folder / name).is_file()]


def drawing_of(line: str) -> str | None:
    """Name of the drawing of one prediction; None where it has none, or the line is something else."""
    try:
        content = json.loads(line)
    except json.JSONDecodeError:
        return None
    name = content.get("drawing") if isinstance(content, dict) else None
    # What a hand has changed may point elsewhere.
    return name if isinstance(name, str) and name == Path(name).name and name.endswith(".png") else None


def require_folder(folder: Path) -> None:
    """Raise `UserError` unless files can be written to the folder; one that does not exist is made and removed."""
    missing: list[Path] = []
    try:
        missing += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise UserError(f"output={folder} cannot be a folder ({error.strerror}): give another one.") from error
    finally:
        for path in missing:
            if path.is_dir():
                path.rmdir()
    if not writable:
        raise UserError(f"output={folder} lets no files be written: give another folder.")


def refuse_overwriting(folder: Path, names: Sequence[str], read: Mapping[Path, str]) -> None:
    """Raise `UserError` if what is written would take the place of what is read.

    Args:
        folder: that is written to.
        names: of files in it.
        read: files, and the words for each.
    """
    own = {path.resolve(): f"{wording} {path}" for path, wording in read.items()}
    resolved = folder.resolve()
    for name in names:
        if resolved / name in own:
            raise UserError(f"output={folder} would overwrite the {own[resolved / name]}: give another folder.")
