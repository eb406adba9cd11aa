"""Fine-tuning losses for retrieval against their definitions."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.passes import PretrainingInputs
from fiber.objectives.pretraining import PretrainingObjective, PretrainingObjectiveConfig
from fiber.objectives.retrieval import (
    MatchingNegatives,
    RetrievalInputs,
    RetrievalObjective,
    RetrievalObjectiveConfig,
)
from fiber.utils.errors import UserError

MakeInputs = Callable[[int], PretrainingInputs]


def normalize(image: Tensor) -> Tensor:
    return image.double() / 128 - 1


def objective(matching: MatchingNegatives, *, queue_size: int = 0) -> RetrievalObjective:
    config = RetrievalObjectiveConfig(
        contrastive=matching is not MatchingNegatives.RANDOM, matching=matching, queue_size=queue_size
    )
    return RetrievalObjective(config, normalize=normalize, seed=1)


def retrieval_inputs(inputs: PretrainingInputs) -> RetrievalInputs:
    """The same pairs, every other one said not to match."""
    return RetrievalInputs(inputs.pairs, torch.arange(len(inputs.pairs)) % 2 == 0, inputs.sample_key)


def test_losses_are_those_of_pretraining_on_the_same_pairs(
    tiny_model: FiberForPretraining, make_inputs: MakeInputs
) -> None:
    pretraining = PretrainingObjective(PretrainingObjectiveConfig(queue_size=0), normalize=normalize, seed=1)
    expected = pretraining(tiny_model, make_inputs(0), step=3).losses
    losses = objective(MatchingNegatives.HARD)(tiny_model, retrieval_inputs(make_inputs(0)), step=3)
    assert losses.keys() == {"itc", "itm"}
    assert losses["itc"].item() == pytest.approx(expected.contrastive.item(), rel=1e-12)
    assert losses["itm"].item() == pytest.approx(expected.matching.item(), rel=1e-12)


def test_hard_negatives_may_come_from_an_embedding_that_is_not_trained(
    tiny_model: FiberForPretraining, make_inputs: MakeInputs
) -> None:
    inputs = retrieval_inputs(make_inputs(0))
    config = RetrievalObjectiveConfig(contrastive=False, matching=MatchingNegatives.HARD)
    losses = RetrievalObjective(config, normalize=normalize, seed=1)(tiny_model, inputs, step=3)
    both = objective(MatchingNegatives.HARD)(tiny_model, inputs, step=3)
    assert losses.keys() == {"itm"}
    assert losses["itm"].item() == both["itm"].item()
    losses["itm"].backward()
    assert all(parameter.grad is None for parameter in tiny_model.contrastive_head.parameters())


def test_a_queue_gives_keys_but_no_negatives(tiny_model: FiberForPretraining, make_inputs: MakeInputs) -> None:
    queued, alone = (objective(MatchingNegatives.HARD, queue_size=size) for size in (12, 0))
    pretraining = PretrainingObjective(PretrainingObjectiveConfig(queue_size=12), normalize=normalize, seed=1)
    for step in range(2):
        inputs = make_inputs(step)
        found = queued(tiny_model, retrieval_inputs(inputs), step=step)
        without = alone(tiny_model, retrieval_inputs(inputs), step=step)
        expected = pretraining(tiny_model, inputs, step=step).losses
    assert found["itc"].item() == pytest.approx(expected.contrastive.item(), rel=1e-12)
    assert found["itc"] > without["itc"] + 0.1
    assert found["itm"].item() == without["itm"].item()
    assert queued.queue is not None and queued.queue.slots is not None
    assert [tensor.shape for tensor in queued.queue.slots.tensors()] == [(12, 16)] * 2  # no picture is kept


def test_random_matching_judges_the_pairs_as_they_come(
    tiny_model: FiberForPretraining, make_inputs: MakeInputs
) -> None:
    inputs = retrieval_inputs(make_inputs(0))
    losses = objective(MatchingNegatives.RANDOM)(tiny_model, inputs, step=0)
    backbone, pairs = tiny_model.backbone, inputs.pairs
    expected = 0.0
    for row in range(len(pairs)):
        image = backbone.encode_image(normalize(pairs.image[row : row + 1]))
        text = backbone.encode_text(pairs.text_ids[row : row + 1], pairs.text_mask[row : row + 1])
        logits = tiny_model.matching_head(tiny_model.cross_modal_head(backbone.fuse(image, text)).pooled)
        expected -= F.log_softmax(logits, dim=-1)[0, int(inputs.matches[row])].item() / len(pairs)
    assert losses.keys() == {"itm"}
    assert losses["itm"].item() == pytest.approx(expected, rel=1e-10)


def test_a_queue_goes_on_from_its_state(tiny_model: FiberForPretraining, make_inputs: MakeInputs) -> None:
    first, again = (objective(MatchingNegatives.NONE, queue_size=8) for _ in range(2))
    assert first.queue is not None and again.queue is not None
    first(tiny_model, retrieval_inputs(make_inputs(0)), step=0)
    state = deepcopy(first.queue.state())  # as in a file
    assert state is not None
    again.queue.restore(state, torch.device("cpu"))
    second, other = (one(tiny_model, retrieval_inputs(make_inputs(1)), step=1) for one in (first, again))
    assert second["itc"].item() == other["itc"].item()
    third, another = (one(tiny_model, retrieval_inputs(make_inputs(2)), step=2) for one in (first, again))
    assert third["itc"].item() == another["itc"].item()


def test_evaluation_leaves_the_queue_alone(tiny_model: FiberForPretraining, make_inputs: MakeInputs) -> None:
    one = objective(MatchingNegatives.NONE, queue_size=8)
    one(tiny_model.eval(), retrieval_inputs(make_inputs(0)), step=0)
    assert one.queue is not None and one.queue.filled == 0


@pytest.mark.parametrize(
    ("contrastive", "matching"),
    [(True, MatchingNegatives.RANDOM), (False, MatchingNegatives.NONE)],
)
def test_losses_that_do_not_fit_are_refused(contrastive: bool, matching: MatchingNegatives) -> None:
    with pytest.raises(UserError, match=rf"objective\.matching={matching} exclude each other"):
        RetrievalObjectiveConfig(contrastive=contrastive, matching=matching)
