"""Questions about images, one by one and collated.

Axes: B questions, L text tokens, S image side in pixels, A answers of the vocabulary.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fiber.data.batch import SampleKey, TensorBatch


class QuestionSample(NamedTuple):
    """One question about one image."""

    image: Tensor  # uint8 3 S S, RGB
    question: str
    labels: tuple[int, ...]  # of the answers in the vocabulary
    scores: tuple[float, ...]  # soft label of each of them, in [0, 1]
    key: SampleKey
    broken: tuple[str, ...]  # locations of broken images passed over on the way to this one


@dataclass(frozen=True)
class QuestionBatch(TensorBatch):
    """A collated batch of questions; pixels stay uint8 until they are on the device."""

    image: Tensor  # uint8 B 3 S S, RGB
    text_ids: Tensor  # int64 B L, `<s> ... </s>` and padding
    text_mask: Tensor  # bool B L, True = real token
    targets: Tensor  # float32 B A, soft labels in [0, 1]
    sample: Tensor  # int64 B, SampleKey.sample
    broken: tuple[str, ...]

    def __len__(self) -> int:
        return self.image.shape[0]
