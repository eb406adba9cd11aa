"""Batches for the objectives."""

from collections.abc import Callable

import pytest
import torch

from fiber.objectives.pairs import RawPairs
from fiber.objectives.passes import PretrainingInputs


@pytest.fixture
def make_inputs() -> Callable[[int], PretrainingInputs]:
    """Six random pairs of texts of several lengths for `tiny_model`, by seed."""

    def make(seed: int, num_pairs: int = 6) -> PretrainingInputs:
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(4, 49, (num_pairs, 8), generator=generator)
        mask = torch.arange(8) < torch.randint(3, 9, (num_pairs, 1), generator=generator)
        ids = torch.where(mask, ids, 1)
        selected = (torch.rand(ids.shape, generator=generator) < 0.3) & mask
        image = torch.randint(0, 256, (num_pairs, 3, 32, 32), generator=generator, dtype=torch.uint8)
        return PretrainingInputs(
            RawPairs(image, ids, mask),
            torch.where(selected, 49, ids),
            torch.where(selected, ids, -100),
            torch.arange(num_pairs)[:, None].expand(-1, 2) + 100 * seed,
        )

    return make
