"""Captions token by token without a search: the most probable token, or one drawn by its probability.

Axes: I images, n captions of each, V vocabulary, T tokens of the longest caption.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from fiber.generation.caption_decoder import NextToken
from fiber.generation.captions import GeneratedCaptions
from fiber.generation.vocabulary import CaptionVocabulary


def caption_draws(keys: Sequence[int], *, num_captions: int, max_tokens: int, seed: int) -> Tensor:
    """Uniform draws in [0, 1) for every token of sampled captions, float64 I n T.

    Those of an image depend on `seed` and its key alone, not on the batch or the process it is in.
    """
    draws = [np.random.default_rng([seed, key]).random((num_captions, max_tokens)) for key in keys]
    return torch.from_numpy(np.stack(draws))


def greedy_captions(decoder: NextToken, vocabulary: CaptionVocabulary, *, max_tokens: int) -> GeneratedCaptions:
    """One caption per image, the most probable token at every place."""
    return write_captions(
        decoder, vocabulary, lambda log_probabilities, _: log_probabilities.argmax(dim=-1), (1, max_tokens)
    )


def sample_captions(
    decoder: NextToken, vocabulary: CaptionVocabulary, draws: Tensor, *, temperature: float = 1.0
) -> GeneratedCaptions:
    """Captions drawn from the model (ancestral sampling).

    Args:
        decoder: fresh.
        vocabulary: the tokens with a meaning of their own.
        draws: by `caption_draws`, I n T.
        temperature: divides the log-probabilities; below 1 sharpens them.
    """
    draws = draws.to(decoder.device)

    def draw(log_probabilities: Tensor, place: int) -> Tensor:
        return inverse_cumulative((log_probabilities / temperature).softmax(dim=-1), draws[..., place])

    return write_captions(decoder, vocabulary, draw, (draws.shape[1], draws.shape[2]))


def inverse_cumulative(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The token at which the cumulative probability passes a draw: I n V, float64 I n -> int64 I n."""
    cumulative = probabilities.double().cumsum(dim=-1)
    total = cumulative[..., -1:]
    # Below the total whatever the rounding, so that a token without probability is never drawn.
    threshold = torch.minimum(uniform[..., None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, threshold, right=True).squeeze(-1)


@torch.no_grad()
def write_captions(
    decoder: NextToken, vocabulary: CaptionVocabulary, choose: Callable[[Tensor, int], Tensor], shape: tuple[int, int]
) -> GeneratedCaptions:
    """Append chosen tokens until all captions have ended.

    Args:
        decoder: fresh.
        vocabulary: the tokens with a meaning of their own.
        choose: the next tokens by their log-probabilities, I n V, and their place; int64 I n.
        shape: captions per image, and tokens of the longest, n T.
    """
    num_captions, max_tokens = shape
    last = torch.full((decoder.num_images, num_captions), vocabulary.bos_id, device=decoder.device)
    ended = torch.zeros_like(last, dtype=torch.bool)
    score = torch.zeros(last.shape, device=decoder.device)
    tokens = []
    for place in range(max_tokens):
        log_probabilities = vocabulary.log_probabilities(decoder.step(last))
        last = choose(log_probabilities, place)
        score = score + log_probabilities.gather(-1, last[..., None])[..., 0].masked_fill(ended, 0.0)
        last = last.masked_fill(ended, vocabulary.pad_id)
        tokens.append(last)
        ended = ended | (last == vocabulary.eos_id)
        if bool(ended.all()):
            break
    return GeneratedCaptions(torch.stack(tokens, dim=-1), score)
