"""The ring buffer of earlier pairs."""

from dataclasses import asdict

import pytest
import torch

from fiber.objectives.pairs import EmbeddedPairs, RawPairs
from fiber.objectives.queue import PairQueue, QueueState
from fiber.utils.errors import UserError


def numbered(*numbers: int) -> EmbeddedPairs:
    """Pairs whose every value is their number."""
    value = torch.tensor(numbers)
    embedding = value[:, None].float().expand(-1, 4)
    image = value.view(-1, 1, 1, 1).expand(-1, 3, 2, 2).to(torch.uint8)
    ids = value[:, None].expand(-1, 5)
    return EmbeddedPairs(RawPairs(image, ids, ids > 0), embedding, embedding + 100, torch.stack([value, value], 1))


def test_the_oldest_pairs_are_overwritten() -> None:
    queue = PairQueue(4)
    for first in (1, 4, 7):
        queue.enqueue(numbered(first, first + 1, first + 2))
    assert queue.slots is not None
    assert queue.slots.sample_key[:, 0].tolist() == [9, 6, 7, 8]
    assert queue.slots.pairs.image[:, 0, 0, 0].tolist() == [9, 6, 7, 8]
    assert (queue.filled, queue.pointer) == (4, 1)


def test_unfilled_slots_are_invalid_and_filled_ones_come_after_the_batch() -> None:
    queue = PairQueue(4)
    assert queue.candidates(numbered(9)).valid.tolist() == [True]
    queue.enqueue(numbered(1, 2))
    candidates = queue.candidates(numbered(8, 9))
    assert candidates.valid.tolist() == [True, True, True, True, False, False]
    assert candidates.image_keys[:4, 0].tolist() == [8, 9, 1, 2]
    assert candidates.text_keys[:4, 0].tolist() == [108, 109, 101, 102]
    assert candidates.select_images(torch.tensor([3, 0]))[:, 0, 0, 0].tolist() == [2, 8]
    ids, mask = candidates.select_texts(torch.tensor([1, 2]))
    assert ids[:, 0].tolist() == [9, 1] and mask.dtype == torch.bool


def test_raw_inputs_stay_uint8() -> None:
    queue = PairQueue(4)
    queue.enqueue(numbered(1))
    assert queue.slots is not None and queue.slots.pairs.image.dtype == torch.uint8


def test_a_queue_goes_on_from_its_state() -> None:
    queue = PairQueue(4)
    queue.enqueue(numbered(1, 2, 3))
    state = queue.state()
    assert state is not None
    assert not any(value.dtype == torch.uint8 for value in asdict(state).values() if isinstance(value, torch.Tensor))
    again = PairQueue(4)
    again.restore(QueueState(**asdict(state)), numbered(1, 2, 3, 0))
    for one in (queue, again):
        one.enqueue(numbered(7, 8))
    assert queue.slots is not None and again.slots is not None
    assert torch.equal(queue.slots.sample_key, again.slots.sample_key)
    assert torch.equal(queue.slots.pairs.image, again.slots.pairs.image)


def test_a_queue_smaller_than_a_step_is_refused() -> None:
    with pytest.raises(UserError, match=r"objective\.queue_size=2 is smaller than the 3 pairs"):
        PairQueue(2).enqueue(numbered(1, 2, 3))
