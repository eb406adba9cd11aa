"""What is made of a file that others wrote, and what is not."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fiber.checkpoints.foreign_file import read_foreign_file
from fiber.checkpoints.foreign_state import Layout, Weights, read_foreign_state
from fiber.checkpoints.restricted_pickle import Skipped, restricted_pickle
from fiber.utils.errors import UserError


class Settings(dict):  # type: ignore[type-arg]
    """A configuration as libraries keep it."""


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_numbers_and_containers_are_read_and_everything_else_is_named(zipped: bool, tmp_path: Path) -> None:
    tensor = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).T)
    content = {
        "state_dict": OrderedDict(weight=tensor, half=torch.ones(2, dtype=torch.bfloat16)),
        "hyper_parameters": Settings(config=Settings(max_text_len=9)),
        "callbacks": {Settings: 1},
        "score": np.float64(0.5),
        "seen": {1, 2},
    }
    torch.save(content, tmp_path / "a.ckpt", _use_new_zipfile_serialization=zipped)
    found = read_foreign_state(tmp_path / "a.ckpt", option="input", expected="another")
    assert torch.equal(found.tensors["weight"], tensor) and found.tensors["half"].dtype == torch.bfloat16
    assert found.layout == Layout(("state_dict",))
    assert found.settings == {"max_text_len": 9}
    assert f"{__name__}.Settings" in found.skipped and any("numpy" in name for name in found.skipped)
    raw: Any = read_foreign_file(tmp_path / "a.ckpt", option="input", expected="another").content
    assert isinstance(raw["score"], Skipped) and raw["seen"] == {1, 2}


def test_a_pickle_changes_no_function_that_it_may_call() -> None:
    attack = b"ctorch._utils\n_rebuild_tensor_v2\n(N}Vfunction\nctorch\nsave\nstb."
    with pytest.raises(pickle.UnpicklingError, match="it changes function of a function"):
        unpickle(attack)
    skipped: set[str] = set()
    assert isinstance(unpickle(b"cbuiltins\neval\n(V1 + 1\ntR.", skipped), Skipped)
    assert skipped == {"builtins.eval"}


def unpickle(data: bytes, skipped: set[str] | None = None) -> Any:
    return restricted_pickle(set() if skipped is None else skipped).load(io.BytesIO(data))


def test_averaged_and_raw_weights_are_told_apart(tmp_path: Path) -> None:
    content = {"model": {"module.a": torch.zeros(1)}, "model_ema": {"a": torch.ones(1)}, "iteration": 3}
    torch.save(content, tmp_path / "a.pth")
    for weights, value, path in ((Weights.AVERAGED, 1, "model_ema"), (Weights.RAW, 0, "model")):
        found = read_foreign_state(tmp_path / "a.pth", option="input", expected="another", weights=weights)
        assert found.tensors["a"].item() == value and found.layout.path == (path,)
        assert len(found.other) == 1 and found.parts == ("iteration",)


@pytest.mark.parametrize("empty", [None, {}])
@pytest.mark.parametrize("weights", Weights)
def test_an_average_that_was_never_taken_is_no_average(empty: object, weights: Weights, tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.zeros(1)}, "model_ema": empty}, tmp_path / "a.pth")
    found = read_foreign_state(tmp_path / "a.pth", option="input", expected="another", weights=weights)
    assert list(found.tensors) == ["a"] and found.layout.path == ("model",)
    assert found.other == {} and found.parts == ("model_ema",)


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (torch.eye(2).to_sparse(), r"is of layout torch\.sparse_coo: save it with \.to_dense\(\)"),
        (torch.eye(2, device="meta"), "is on meta and has no numbers: save the model after"),
        (torch.zeros(1).expand(2**34, 3), r"repeats 4 bytes to fill \(17179869184, 3\): save it with"),
        (torch.ones(2, dtype=torch.int8), r"holds torch\.int8: give the file from before it was quantised"),
        (torch.ones(2, dtype=torch.complex64), r"holds torch\.complex64: give"),
    ],
)
def test_tensors_without_plain_numbers_are_refused(value: torch.Tensor, fault: str, tmp_path: Path) -> None:
    torch.save({"state_dict": {"a.position_ids": torch.arange(2), "a.weight": value}}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=rf"input=.*a\.ckpt: a\.weight {fault}"):
        read_foreign_state(tmp_path / "a.ckpt", option="input", expected="another")


def test_something_else_in_a_tensors_place_is_named(tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.zeros(1), "b": Settings()}}, tmp_path / "a.pth")
    with pytest.raises(UserError, match=rf"input=.*a\.pth holds no tensors by name: b is what {__name__}\.Settings"):
        read_foreign_state(tmp_path / "a.pth", option="input", expected="another")
