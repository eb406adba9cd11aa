"""Beam search for the caption that is most probable per token.

Axes: I images, K beams, V vocabulary, t tokens so far, T tokens of the longest caption.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fiber.generation.caption_decoder import NextToken
from fiber.generation.captions import GeneratedCaptions
from fiber.generation.vocabulary import CaptionVocabulary


@dataclass(frozen=True, kw_only=True)
class BeamSearchConfig:
    """What is searched for, and how widely."""

    max_tokens: int
    """Of a caption, `</s>` included; one that has not ended by then is cut."""
    num_beams: int = 5
    min_tokens: int = 0
    """Of a caption, `</s>` not included."""
    length_penalty: float = 1.0
    """Captions are ranked by the sum of their log-probabilities over their number of tokens to this power: 1 = the
    mean, 0 = the sum."""

    def rank(self, log_probability: Tensor, num_tokens: int) -> Tensor:
        """By which captions of any length compete."""
        return log_probability / math.pow(num_tokens, self.length_penalty)

    def best_rank_to_come(self, log_probability: Tensor, num_tokens: int) -> Tensor:
        """What captions with `num_tokens` so far can reach, should all that follows be certain."""
        return torch.maximum(
            self.rank(log_probability, num_tokens + 1), self.rank(log_probability, max(num_tokens + 1, self.max_tokens))
        )


class BestCaptions:
    """The best ended caption of every image so far."""

    def __init__(self, num_images: int, *, max_tokens: int, pad_id: int, device: torch.device) -> None:
        self.pad_id = pad_id
        self.tokens = torch.full((num_images, max_tokens), pad_id, device=device)  # I T
        self.rank = torch.full((num_images,), -torch.inf, device=device)

    def offer(self, tokens: Tensor, rank: Tensor) -> None:
        """Let ended captions compete: int64 I K t, I K."""
        rank, beam = rank.max(dim=1)
        offered = take_beams(tokens, beam[:, None])[:, 0]  # I t
        offered = F.pad(offered, (0, self.tokens.shape[1] - offered.shape[1]), value=self.pad_id)
        better = rank > self.rank
        self.tokens = torch.where(better[:, None], offered, self.tokens)
        self.rank = torch.where(better, rank, self.rank)


def take_beams(tokens: Tensor, beams: Tensor) -> Tensor:
    """Tokens of some beams of every image: int64 I K t, int64 I K' -> I K' t."""
    return tokens.gather(1, beams[..., None].expand(-1, -1, tokens.shape[2]))


@torch.no_grad()
def beam_search(decoder: NextToken, vocabulary: CaptionVocabulary, config: BeamSearchConfig) -> GeneratedCaptions:
    """The best caption of every image, ranked by `config`.

    At every step the K most probable captions that have not ended go on. One that ends leaves the beams with the length
    it has, and competes once; so neither does it fill beams with copies of itself nor is its rank that of another
    length. The search ends when no caption in a beam can rank above the best ended one of its image. With as many beams
    as there are captions, the result is the best of all captions.

    Args:
        decoder: fresh.
        vocabulary: the tokens with a meaning of their own.
        config: width, lengths, ranking.

    Returns:
        One caption per image.
    """
    num_images, num_beams, device = decoder.num_images, config.num_beams, decoder.device
    best = BestCaptions(num_images, max_tokens=config.max_tokens, pad_id=vocabulary.pad_id, device=device)
    tokens = torch.empty(num_images, num_beams, 0, dtype=torch.long, device=device)
    last = torch.full((num_images, num_beams), vocabulary.bos_id, device=device)
    scores = torch.full((num_images, num_beams), -torch.inf, device=device)
    scores[:, 0] = 0.0  # all beams are the same before the first token
    for length in range(1, config.max_tokens + 1):
        log_probabilities = vocabulary.log_probabilities(decoder.step(last), may_end=length > config.min_tokens)
        total = scores[..., None] + log_probabilities  # I K V
        ended = F.pad(tokens, (0, 1), value=vocabulary.eos_id)
        best.offer(ended, config.rank(total[..., vocabulary.eos_id], length))
        total[..., vocabulary.eos_id] = -torch.inf
        scores, choice = total.flatten(1).topk(num_beams)
        beams, last = choice // total.shape[2], choice % total.shape[2]
        tokens = torch.cat([take_beams(tokens, beams), last[..., None]], dim=2)
        if length == config.max_tokens:
            best.offer(tokens, config.rank(scores, length))
        elif bool((best.rank >= config.best_rank_to_come(scores[:, 0], length)).all()):
            break
        decoder.select(beams)
    return GeneratedCaptions(best.tokens[:, None], best.rank[:, None])
