"""One step: shared trunks against the original's separate passes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.passes import PretrainingInputs
from fiber.objectives.pretraining import PretrainingObjective, PretrainingObjectiveConfig

MakeInputs = Callable[[int], PretrainingInputs]


def normalize(image: Tensor) -> Tensor:
    return image.double() / 128 - 1


def run(model: FiberForPretraining, make_inputs: MakeInputs, **config: int) -> tuple[list[Tensor], list[Tensor]]:
    """Losses and gradients of three steps."""
    objective = PretrainingObjective(PretrainingObjectiveConfig(**config), normalize=normalize, seed=1)
    losses, gradients = [], []
    for step in range(3):
        model.zero_grad()
        output = objective(model, make_inputs(step), step=step)
        output.losses.total().backward()
        losses.append(torch.stack(output.losses))
        gradients += [p.grad.clone() for p in model.parameters() if p.grad is not None]
    return losses, gradients


@pytest.mark.parametrize("queue_size", [0, 8, 64])
def test_shared_and_separate_trunks_agree(
    tiny_model: FiberForPretraining, make_inputs: MakeInputs, queue_size: int
) -> None:
    shared = run(tiny_model, make_inputs, queue_size=queue_size, share_trunk=True)
    separate = run(tiny_model, make_inputs, queue_size=queue_size, share_trunk=False)
    torch.testing.assert_close(shared, separate, rtol=0, atol=1e-12)
    assert len(shared[1]) == 3 * len(list(tiny_model.parameters()))  # every parameter learns


def test_the_queue_takes_part_in_the_loss(tiny_model: FiberForPretraining, make_inputs: MakeInputs) -> None:
    without, _ = run(tiny_model, make_inputs, queue_size=0)
    queued, _ = run(tiny_model, make_inputs, queue_size=64)
    torch.testing.assert_close(without[0], queued[0])  # an empty queue changes nothing
    assert queued[1][1] > without[1][1] + 0.1


def test_evaluation_leaves_the_queue_alone(tiny_model: FiberForPretraining, make_inputs: MakeInputs) -> None:
    objective = PretrainingObjective(PretrainingObjectiveConfig(queue_size=8), normalize=normalize)
    objective(tiny_model.eval(), make_inputs(0), step=0)
    assert objective.queue is not None and objective.queue.filled == 0
