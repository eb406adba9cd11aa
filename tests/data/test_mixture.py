"""Several data sets as one."""

import numpy as np
import pytest

from fiber.data.batch import SampleKey
from fiber.data.box_annotations import CaptionAnnotations
from fiber.data.grounding_dataset import GroundingDataset
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig
from fiber.data.mixture import Mixture
from fiber.utils.errors import UserError

from .box_readers import BEACH_SCENE, MemoryCaptions, grounded


def source(*texts: str) -> GroundingDataset:
    annotations = CaptionAnnotations(MemoryCaptions(*[grounded(text) for text in texts]))
    transform = GroundingTransform(GroundingTransformConfig(short_sides=(32,)))
    return GroundingDataset(annotations, transform=transform, seed=0)


def test_samples_of_all_sources_follow_each_other_under_their_own_keys() -> None:
    mixture = Mixture([source("a", "b"), source("c"), source("d", "e")])
    keys = [SampleKey(index, 10 + index) for index in range(len(mixture))]
    samples = [mixture[key] for key in keys]
    assert [sample.text for sample in samples] == ["a", "b", "c", "d", "e"]
    assert [sample.location for sample in samples] == ["0.png", "1.png", "0.png", "0.png", "1.png"]
    assert [sample.key for sample in samples] == keys


def test_the_draw_reaches_the_source() -> None:
    transform = GroundingTransform(GroundingTransformConfig(short_sides=(32,), flip_probability=0.5))
    alone = GroundingDataset(CaptionAnnotations(MemoryCaptions(BEACH_SCENE)), transform=transform, seed=0)
    mixture = Mixture([source("a"), alone])
    mixed = [mixture[SampleKey(1, draw)].boxes.tolist() for draw in range(8)]
    assert mixed == [alone[SampleKey(0, draw)].boxes.tolist() for draw in range(8)]


def test_without_weights_an_epoch_holds_every_sample_once_and_epochs_differ() -> None:
    mixture = Mixture([source("a", "b"), source("c", "d", "e")])
    orders = [mixture.epoch_order(seed=3, epoch=epoch).tolist() for epoch in range(4)]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len(set(map(tuple, orders))) > 1
    assert mixture.epoch_order(seed=3, epoch=2).tolist() == orders[2]


def test_weights_are_shares_of_draws() -> None:
    mixture = Mixture([source(*"ab" * 300), source(*"cd" * 100), source(*"e" * 200)], weights=[2, 1, 1])
    order = mixture.epoch_order(seed=0, epoch=0)
    assert len(order) == len(mixture) == 1000
    counts = np.histogram(order, bins=[0, 600, 800, 1000])[0]
    np.testing.assert_allclose(counts / 1000, [0.5, 0.25, 0.25], atol=0.04)
    small = order[(order >= 600) & (order < 800)]
    assert len(set(small[:200].tolist())) == min(200, len(small))  # a pass ends before a sample comes again


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -1.0], [1.0, 1.0, 1.0]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]) -> None:
    with pytest.raises(UserError, match="give one positive number for each of 2 data sets"):
        Mixture([source("a"), source("b")], weights=weights)


def test_no_source_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.train lists no data set"):
        Mixture([])
