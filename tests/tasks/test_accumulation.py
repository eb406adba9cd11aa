"""Micro-batches that make up the recipe's batch."""

import pytest

from fiber.tasks.accumulation import accumulation_steps
from fiber.utils.errors import UserError


@pytest.mark.parametrize(
    ("batch_size", "device_batch_size", "world_size", "expected"),
    [(4096, 8, 64, 8), (4096, 8, 1, 512), (64, 64, 1, 1), (512, 8, 8, 8)],
)
def test_accumulation_makes_up_the_recipe_batch(
    batch_size: int, device_batch_size: int, world_size: int, expected: int
) -> None:
    steps = accumulation_steps(batch_size=batch_size, device_batch_size=device_batch_size, world_size=world_size)
    assert steps == expected


def test_batch_that_does_not_divide_names_both_keys_and_sizes_that_do() -> None:
    with pytest.raises(UserError, match=r"trainer\.batch_size=7 .*optimization\.batch_size=64") as error:
        accumulation_steps(batch_size=64, device_batch_size=7, world_size=2)
    assert "give trainer.batch_size=2 or 4 or 8." in str(error.value)


def test_device_batch_larger_than_the_recipe_is_refused() -> None:
    with pytest.raises(UserError, match="does not divide"):
        accumulation_steps(batch_size=32, device_batch_size=64, world_size=1)


def test_more_devices_than_pairs_is_refused() -> None:
    with pytest.raises(UserError, match="give a multiple of 6"):
        accumulation_steps(batch_size=64, device_batch_size=8, world_size=6)


def test_a_single_pair_has_no_negatives_where_they_are_needed() -> None:
    with pytest.raises(UserError, match="no negatives"):
        accumulation_steps(batch_size=64, device_batch_size=1, world_size=1, needs_negatives=True)
    assert accumulation_steps(batch_size=64, device_batch_size=1, world_size=1) == 64
