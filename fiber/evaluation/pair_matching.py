"""Matching scores of many pairs from trunks that were encoded once (design: encode once, fuse any pairs).

Axes: n images, T texts, B texts of a pass.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fiber.evaluation.text_trunks import TextTrunks
from fiber.models.pair_model import PairModel
from fiber.models.trunks import ImageTrunk, TextTrunk
from fiber.utils.distributed import gather_objects

Count = Callable[[int], None]
"""Is told how many pairs were matched."""


def most(number: int) -> int:
    """Largest number of any process: sharded models gather their weights together, so that all make as many passes."""
    return max(gather_objects(number))


def match_score(logits: Tensor) -> Tensor:
    """How well pairs match: logit of class 1 minus that of class 0; B 2 -> B."""
    return logits[:, 1] - logits[:, 0]


def match_texts(model: PairModel, image: ImageTrunk, text: TextTrunk) -> Tensor:
    """Scores of one image with B texts; no pair depends on how many other images there are."""
    repeated = image.map(lambda tensor: tensor.expand(len(text), *tensor.shape[1:]))
    return match_score(model.match(repeated, text))


def match_all(model: PairModel, images: Sequence[ImageTrunk], texts: TextTrunks, scores: Tensor, count: Count) -> None:
    """Every image with every text.

    A chunk of texts meets all images before the next is fetched, so that texts which are not kept are encoded once for
    all of them.

    Args:
        model: in evaluation mode.
        images: n trunks of one image each.
        texts: of the gallery.
        scores: n T, filled in.
        count: is told of every pass.
    """
    num_rows = most(len(images))
    for chunk in texts.chunks:
        trunk = texts.select(chunk)
        for row in (min(number, len(images) - 1) for number in range(num_rows)):
            scores[row, chunk.to(scores.device)] = match_texts(model, images[row], trunk).to(scores)
            count(len(chunk))


def match_some(
    model: PairModel,
    images: Sequence[ImageTrunk],
    texts: TextTrunks,
    wanted: Sequence[Tensor],
    scores: Tensor,
    count: Count,
) -> None:
    """Every image with texts of its own choice.

    Args:
        model: in evaluation mode.
        images: n trunks of one image each.
        texts: of the gallery.
        wanted: texts of each image, int64.
        scores: n T, filled in where wanted.
        count: is told of every pass.
    """
    size = len(texts.chunks[0])
    passes = [(row, part) for row, index in enumerate(wanted) for part in torch.split(by_length(texts, index), size)]
    for number in range(most(len(passes))):
        row, part = passes[number % len(passes)]
        scores[row, part.to(scores.device)] = match_texts(model, images[row], texts.select(part)).to(scores)
        count(len(part))


def by_length(texts: TextTrunks, index: Tensor) -> Tensor:
    """Texts of like length side by side, so that little is padded."""
    return index[texts.lengths[index].argsort(stable=True)]
