"""Images with boxes to be judged on."""

from abc import abstractmethod

import numpy as np
import torch
from torch.utils.data import Dataset

from fiber.data.batch import SampleKey
from fiber.data.grounding_batch import EvaluationSample, Truth
from fiber.data.grounding_transforms import GroundingTransform
from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.task_readers import BoxReader, DetectionReader, GroundingReader
from fiber.data.records import Box
from fiber.detection.prompts import Prompt
from fiber.utils.errors import UserError


class EvaluationDataset(Dataset[EvaluationSample]):
    """A reader's images, in order, each once.

    Args:
        reader: the images.
        transform: picture to pixels; it must not flip.
        max_samples: only the first so many.

    Raises:
        UserError: the reader is empty.
    """

    reader: BoxReader

    def __init__(self, reader: BoxReader, *, transform: GroundingTransform, max_samples: int | None = None) -> None:
        if len(reader) == 0:
            raise UserError(f"{reader.name}: the split holds no image.")
        self.reader = reader
        self.transform = transform
        self.num_samples = len(reader) if max_samples is None else min(max_samples, len(reader))

    def __len__(self) -> int:
        return self.num_samples

    def __getitem__(self, key: SampleKey) -> EvaluationSample:
        """Read one sample.

        Raises:
            UserError: its image is broken.
        """
        try:
            picture = self.reader.load_image(key.sample)
        except BrokenImageError as error:
            raise UserError(f"{self.reader.name}: cannot evaluate without {error}") from error
        seen = self.transform(picture, torch.zeros(0, 4), np.random.default_rng(0))
        size = (picture.height, picture.width)
        return EvaluationSample(seen.image, size, self.prompt(key.sample), self.truths(key.sample), key.sample)

    @abstractmethod
    def prompt(self, index: int) -> Prompt | None:
        """What is asked of an image."""

    @abstractmethod
    def truths(self, index: int) -> tuple[Truth, ...]:
        """What is to be found."""


class GroundingEvaluation(EvaluationDataset):
    """Captions; labels are their phrases."""

    reader: GroundingReader

    def prompt(self, index: int) -> Prompt:
        caption = self.reader.grounded_caption(index)
        return Prompt(caption.text, tuple(phrase.spans for phrase in caption.phrases))

    def truths(self, index: int) -> tuple[Truth, ...]:
        return tuple(
            Truth(label, box, False, box_area(box))
            for label, phrase in enumerate(self.reader.grounded_caption(index).phrases)
            for box in phrase.boxes
        )


class DetectionEvaluation(EvaluationDataset):
    """Objects; labels are the reader's classes. Arguments and errors as for `EvaluationDataset`.

    Raises:
        UserError: also if no image has an object, other than crowds.
    """

    reader: DetectionReader

    def __init__(
        self, reader: DetectionReader, *, transform: GroundingTransform, max_samples: int | None = None
    ) -> None:
        super().__init__(reader, transform=transform, max_samples=max_samples)
        if all(item.is_crowd for index in range(len(self)) for item in reader.objects(index)):
            first = (
                f" in its first {len(self)} images: raise data.max_val_samples, or" if len(self) < len(reader) else ":"
            )
            raise UserError(f"{reader.name} has no boxes to judge by{first} give a split with annotations.")

    def prompt(self, index: int) -> None:
        return None

    def truths(self, index: int) -> tuple[Truth, ...]:
        return tuple(
            Truth(item.class_index, item.box, item.is_crowd, box_area(item.box) if item.area is None else item.area)
            for item in self.reader.objects(index)
        )


def box_area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
