"""Matching every image with every text: trunks encoded once, or a whole pass for every pair as the original makes.

Axes: I images, T texts, L text tokens, S image side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fiber.benchmarks.report import Row
from fiber.benchmarks.step import StepSettings
from fiber.benchmarks.timing import time_interleaved
from fiber.evaluation.pair_matching import match_all, match_score
from fiber.evaluation.text_trunks import TextTrunks
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.retrieval_model import FiberForRetrieval

TEXT_LENGTHS = (12, 20)
"""Shortest and longest text in tokens, as captions are."""
OPEN_GATE = 0.5


@dataclass(frozen=True, kw_only=True)
class GallerySettings:
    """What is ranked."""

    num_images: int
    num_texts: int
    pairs_per_pass: int
    """Pairs in a batch, alike in both ways."""


class Gallery:
    """Random images and texts, matched in two ways that differ in time alone."""

    def __init__(self, settings: StepSettings, gallery: GallerySettings) -> None:
        torch.manual_seed(0)
        self.size = gallery.pairs_per_pass
        self.model = FiberForRetrieval(settings.model).to(settings.device).eval()
        for module in self.model.modules():
            if isinstance(module, GatedCrossAttention):
                torch.nn.init.constant_(module.gate, OPEN_GATE)
        side = settings.image_size
        self.pixels = torch.randn(gallery.num_images, 3, side, side, device=settings.device)
        lengths = torch.randint(TEXT_LENGTHS[0], TEXT_LENGTHS[1] + 1, (gallery.num_texts, 1), device=settings.device)
        self.mask = torch.arange(TEXT_LENGTHS[1], device=settings.device) < lengths
        ids = torch.randint(4, settings.model.text.vocab_size - 1, self.mask.shape, device=settings.device)
        self.token_ids = torch.where(self.mask, ids, settings.model.text.pad_id)

    def texts(self) -> TextTrunks:
        """The texts, not encoded yet."""
        return TextTrunks(self.model.backbone, self.token_ids, self.mask, chunk_size=self.size, budget=2**30)

    @torch.no_grad()
    def cached(self) -> Tensor:
        """Scores I T from pixels and tokens, each encoded once."""
        texts = self.texts()
        for _ in texts.encode_all():
            pass
        images = [self.model.backbone.encode_image(pixels) for pixels in torch.split(self.pixels, 1)]
        scores = self.pixels.new_empty(len(images), len(self.mask))
        match_all(self.model, images, texts, scores, lambda _: None)
        return scores

    @torch.no_grad()
    def whole_passes(self) -> Tensor:
        """Scores I T with image and text of every pair encoded anew."""
        texts = self.texts()
        scores = self.pixels.new_empty(len(self.pixels), len(self.mask))
        for row, pixels in enumerate(self.pixels):
            for chunk in texts.chunks:
                image = self.model.backbone.encode_image(pixels.expand(len(chunk), -1, -1, -1))
                scores[row, chunk] = match_score(self.model.match(image, texts.encode(chunk))).to(scores)
        return scores


@dataclass(frozen=True)
class RankingAgreement:
    """How far two tables of scores agree."""

    num_images: int
    """Whose texts are in the same order."""
    num_texts: int
    """Whose images are in the same order."""
    score_difference: float
    """Largest."""
    score_deviation: float
    """Standard deviation of the reference, beside which the difference is to be seen."""

    def __str__(self) -> str:
        return (
            f"same order of texts for {self.num_images} images, of images for {self.num_texts} texts; scores differ by "
            f"{self.score_difference:.1e} at most, their standard deviation is {self.score_deviation:.1e}"
        )


def compare_rankings(scores: Tensor, reference: Tensor) -> RankingAgreement:
    """Compare two tables I T."""
    same = [(scores.argsort(dim=axis) == reference.argsort(dim=axis)).all(dim=axis).sum().item() for axis in (1, 0)]
    difference = (scores - reference).abs().max().item()
    return RankingAgreement(int(same[0]), int(same[1]), difference, reference.std().item())


def benchmark_ranking(
    settings: StepSettings, gallery: GallerySettings, *, repeats: int, warmup: int
) -> tuple[list[Row], RankingAgreement]:
    """Time of both ways, and how far they agree."""
    device = torch.device(settings.device)
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.autocast):
        both = Gallery(settings, gallery)
        ways = {"trunks cached": both.cached, "whole passes": both.whole_passes}
        found = dict[str, Tensor]()

        def keeping(name: str) -> Callable[[], None]:
            return lambda: found.__setitem__(name, ways[name]())

        timings = time_interleaved([keeping(name) for name in ways], device, repeats=repeats, warmup=warmup)
    part = f"{gallery.num_images} images x {gallery.num_texts} texts"
    rows = [
        Row(
            part=part,
            variant=name,
            timing=timing,
            image_size=str(settings.image_size),
            samples=gallery.num_images * gallery.num_texts,
        )
        for name, timing in zip(ways, timings, strict=True)
    ]
    return rows, compare_rankings(*(found[name] for name in ways))
