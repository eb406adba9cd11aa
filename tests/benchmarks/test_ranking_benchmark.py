"""The ranking benchmark compares ways that give the same order."""

from dataclasses import replace

import pytest
import torch

from fiber.benchmarks.ranking import Gallery, GallerySettings, benchmark_ranking, compare_rankings
from fiber.benchmarks.step import StepSettings
from fiber.models.config import FusionConfig

GALLERY = GallerySettings(num_images=3, num_texts=10, pairs_per_pass=4)


@pytest.fixture
def settings(tiny_config: FusionConfig) -> StepSettings:
    return StepSettings(
        model=replace(tiny_config, text=replace(tiny_config.text, vocab_size=300)),
        image_size=64,
        batch_size=1,
        text_length=20,
        queue_size=0,
        device="cpu",
        autocast=False,
        compile=False,
    )


def test_both_ways_give_the_same_order(settings: StepSettings) -> None:
    gallery = Gallery(settings, GALLERY)
    scores, reference = gallery.cached(), gallery.whole_passes()
    assert reference.std() > 0.01
    agreement = compare_rankings(scores, reference)
    assert (agreement.num_images, agreement.num_texts) == (3, 10)
    assert agreement.score_difference < 1e-5


def test_both_ways_are_timed(settings: StepSettings) -> None:
    rows, agreement = benchmark_ranking(settings, GALLERY, repeats=2, warmup=0)
    assert [row.variant for row in rows] == ["trunks cached", "whole passes"]
    assert all(row.samples == 30 and len(row.timing.seconds) == 2 for row in rows)
    assert agreement.num_texts == 10


def test_another_order_is_noticed() -> None:
    scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0]])
    swapped = torch.tensor([[3.0, 1.0, 2.0], [1.0, 3.0, 2.5]])
    agreement = compare_rankings(scores, swapped)
    assert (agreement.num_images, agreement.num_texts) == (1, 3)
    assert agreement.score_difference == 1.0
