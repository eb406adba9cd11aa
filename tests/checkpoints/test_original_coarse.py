"""The map between the original's state dict and ours."""

import pytest
import torch

from fiber.checkpoints.original_coarse import from_original, pretraining_names, to_original
from fiber.models.pretraining_model import FiberForPretraining


def test_every_tensor_survives_the_way_there_and_back(tiny_model: FiberForPretraining) -> None:
    names = pretraining_names(tiny_model.config)
    state = tiny_model.state_dict()
    originals = to_original(state, names)
    assert len(originals) == sum(len(name.originals) for name in names)  # no two of ours share a name there
    again = from_original(originals, names)
    assert set(again) == set(state)
    for name, value in state.items():
        assert torch.equal(again[name], value), name


def test_a_missing_tensor_is_an_error(tiny_model: FiberForPretraining) -> None:
    names = pretraining_names(tiny_model.config)
    originals = to_original(tiny_model.state_dict(), names)
    del originals["itm_score.fc.bias"]
    with pytest.raises(KeyError, match=r"itm_score\.fc\.bias"):
        from_original(originals, names)
