"""The map between the original's state dict and ours."""

import pytest
import torch

from fiber.checkpoints.original_coarse import from_original, pretraining_names, to_original
from fiber.models.pretraining_model import FiberForPretraining
from fiber.utils.errors import UserError


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


def test_parts_that_fit_only_together_are_no_tensor(tiny_model: FiberForPretraining) -> None:
    names = pretraining_names(tiny_model.config)
    originals = to_original(tiny_model.state_dict(), names)
    first = "text_transformer.encoder.layer.0.attention.self"
    originals |= {f"{first}.query.bias": torch.zeros(8), f"{first}.key.bias": torch.zeros(24)}
    with pytest.raises(
        UserError, match=rf"a\.pth is of mixed sizes: {first}\.query\.bias, .* are \(8,\), \(24,\), \(16,\)"
    ):
        from_original(originals, names, where="input=a.pth")
