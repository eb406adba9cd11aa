"""The size of a micro-batch, and random batches of it.

Axes: B samples, S image side, H W pixels, L text tokens, V vocabulary, A answers, K boxes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.data.batch import PairBatch
from fiber.data.caption_batch import CaptionBatch
from fiber.data.grounding_batch import GroundingBatch
from fiber.data.question_batch import QuestionBatch
from fiber.data.retrieval_batch import RetrievalBatch
from fiber.data.statement_batch import StatementBatch
from fiber.models.visual_reasoning_model import NUM_IMAGES
from fiber.objectives.masked_language_modeling import IGNORED

BOXES_PER_IMAGE = 10
MASKED_SHARE = 0.15
"""Of the tokens, for masked language modelling."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a device is given at once."""

    batch_size: int
    """Samples."""
    height: int
    """Pixels."""
    width: int
    text_length: int
    """Tokens, special ones included."""


class RandomText(NamedTuple):
    """Texts without padding."""

    ids: Tensor
    """int64 B L."""
    mask: Tensor
    """bool B L."""


def random_text(load: Workload, vocab_size: int) -> RandomText:
    """Words at random, special tokens left out."""
    ids = torch.randint(4, vocab_size - 1, (load.batch_size, load.text_length))
    return RandomText(ids, torch.ones_like(ids, dtype=torch.bool))


def random_images(load: Workload, *leading: int) -> Tensor:
    """uint8 B ... 3 H W."""
    return torch.randint(0, 256, (load.batch_size, *leading, 3, load.height, load.width), dtype=torch.uint8)


def pair_batch(load: Workload, vocab_size: int) -> PairBatch:
    """Pairs to pre-train on."""
    text, rows = random_text(load, vocab_size), torch.arange(load.batch_size)
    selected = torch.rand(text.ids.shape) < MASKED_SHARE
    return PairBatch(
        image=random_images(load),
        text_ids=text.ids,
        text_mask=text.mask,
        content_mask=text.mask,
        masked_ids=torch.where(selected, vocab_size - 1, text.ids),
        masked_labels=torch.where(selected, text.ids, IGNORED),
        image_index=rows,
        sample=rows,
        draw=rows,
        captions=("",) * load.batch_size,
        broken=(),
    )


def retrieval_batch(load: Workload, vocab_size: int) -> RetrievalBatch:
    """Pairs for retrieval, every other one true."""
    text, rows = random_text(load, vocab_size), torch.arange(load.batch_size)
    return RetrievalBatch(
        image=random_images(load),
        text_ids=text.ids,
        text_mask=text.mask,
        matches=rows % 2 == 0,
        sample=rows,
        draw=rows,
        first_draw=0,
        broken=(),
    )


def question_batch(load: Workload, vocab_size: int, num_answers: int) -> QuestionBatch:
    """Questions with soft labels."""
    text = random_text(load, vocab_size)
    targets, rows = torch.rand(load.batch_size, num_answers), torch.arange(load.batch_size)
    return QuestionBatch(random_images(load), text.ids, text.mask, targets, rows, ())


def statement_batch(load: Workload, vocab_size: int) -> StatementBatch:
    """Statements about two images."""
    text, rows = random_text(load, vocab_size), torch.arange(load.batch_size)
    return StatementBatch(random_images(load, NUM_IMAGES), text.ids, text.mask, rows % 2 == 0, rows, (), ())


def caption_batch(load: Workload, vocab_size: int) -> CaptionBatch:
    """Images with captions."""
    text, rows = random_text(load, vocab_size), torch.arange(load.batch_size)
    return CaptionBatch(random_images(load), text.ids, text.mask, rows, rows, (("",),) * load.batch_size, ())


def grounding_batch(load: Workload, vocab_size: int) -> GroundingBatch:
    """Images with boxes of a tenth to half of their sides, each named by one token."""
    text, count = random_text(load, vocab_size), load.batch_size * BOXES_PER_IMAGE
    sides = torch.tensor([float(load.width), float(load.height)])
    share = 0.1 + 0.4 * torch.rand(count, 2)
    corner = torch.rand(count, 2) * (1 - share)
    named = torch.randint(load.text_length, (count, 1))
    return GroundingBatch(
        image=random_images(load),
        sizes=torch.tensor([[load.height, load.width]]).repeat(load.batch_size, 1),
        text_ids=text.ids,
        text_mask=text.mask,
        boxes=torch.cat([corner * sides, (corner + share) * sides], dim=1),
        positive_map=torch.zeros(count, load.text_length, dtype=torch.bool).scatter(1, named, True),
        num_boxes=(BOXES_PER_IMAGE,) * load.batch_size,
        broken=(),
        defects=(),
    )
