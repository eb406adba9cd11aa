"""Files that are not converted, and why."""

import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fiber.conversion.converting import convert
from fiber.utils.errors import UserError

from .golden import OWN, converting, lightning_file, task_state, write_tokenizer

State = dict[str, Tensor]


class Commands:
    """A pickle that would run a command of the system."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def attempt(source: Path, *overrides: str) -> Any:
    tokenizer = write_tokenizer(source.parent / "words", 128)
    return convert(
        converting(
            f"input={source}",
            f"output={source.parent / 'model'}",
            "text_heads=4",
            f"tokenizer.path={tokenizer}",
            *overrides,
        )
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_a_command_is_refused_where_a_tensor_needs_it_and_else_reported(
    zipped: bool, tmp_path: Path
) -> None:
    command = Commands(f"touch {tmp_path / 'executed'}")
    state = task_state(OWN, "nlvr2")
    content = {"state_dict": state | {"vit_model.norm.bias": command}}
    torch.save(content, tmp_path / "bad.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"vit_model\.norm\.bias is what posix\.system makes, which is not called"):
        attempt(tmp_path / "bad.ckpt")
    content = {"state_dict": state, "optimizer_states": [command]}
    torch.save(content, tmp_path / "odd.ckpt", _use_new_zipfile_serialization=zipped)
    assert attempt(tmp_path / "odd.ckpt").skipped == ("posix.system",)
    assert not (tmp_path / "executed").exists()


def resnet(_: State) -> State:
    return {"conv1.weight": torch.zeros(64, 3, 7, 7), "layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}


def bert(_: State) -> State:
    return {"bert.embeddings.word_embeddings.weight": torch.zeros(30, 8)}


def swin(state: State) -> State:
    return {name.removeprefix("vit_model."): value for name, value in state.items() if name.startswith("vit_model.")}


def roberta(state: State) -> State:
    return {name.replace("text_transformer.", "roberta."): v for name, v in state.items() if name.startswith("text_t")}


def half(state: State) -> State:
    return {name: value for name, value in state.items() if not name.startswith("text_transformer.")}


def first_version(state: State) -> State:
    return {name: value for name, value in state.items() if "alpha_i2t" not in name}


def one_block_less(state: State) -> State:
    return {name: value for name, value in state.items() if "layers.3.blocks.1" not in name}


def widened(state: State) -> State:
    return state | {"cross_modal_text_transform.bias": torch.zeros(40)}


def other_window(state: State) -> State:
    return state | {"vit_model.layers.2.blocks.5.attn.relative_position_bias_table": torch.zeros(25, 4)}


def headless(state: State) -> State:
    return state | {"vit_model.layers.1.blocks.0.attn.relative_position_bias_table": torch.zeros(9, 0)}


def flat_table(state: State) -> State:
    return state | {"vit_model.layers.2.blocks.5.attn.relative_position_bias_table": torch.zeros(9)}


def surprised(state: State) -> State:
    return state | {"depth_head.weight": torch.zeros(2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (resnet, r"is of another architecture: none of its 2 tensors, such as conv1\.weight"),
        (bert, "is of another architecture"),
        (lambda _: {}, "holds no tensor: give a checkpoint"),
        (swin, "holds a Swin Transformer alone: give image=FILE and text=FILE"),
        (roberta, "holds a RoBERTa alone: give text=FILE and image=FILE"),
        (half, "lacks the text side: is it a part"),
        (first_version, "has no cross-attention from image to text"),
        (one_block_less, "fuses 5 image blocks and 6 text layers"),
        (widened, r"is of mixed sizes: cross_modal_head\.text_projection\.bias is \(40,\).*\(32,\)"),
        (other_window, r"is of mixed sizes: .*relative_position_bias is \(25, 4\), the first of its kind has 9 rows"),
        (headless, r"vit_model\.layers\.1\..*_bias_table has shape \(9, 0\), which holds nothing"),
        (flat_table, r"is of mixed sizes: .*relative_position_bias is \(9,\), the first of its kind has 9 rows"),
        (surprised, r"has 1 tensors that no model of the original has, depth_head\.weight.*allow_surprising=true"),
    ],
)
def test_tensors_that_are_no_model_of_the_original_are_refused(
    change: Callable[[State], State], message: str, tmp_path: Path
) -> None:
    source = tmp_path / "odd.safetensors"  # which is read in no time
    save_file({name: value.clone() for name, value in change(task_state(OWN, "nlvr2")).items()}, source)
    with pytest.raises(UserError, match=rf"input={source}:? {message}"):
        attempt(source)
    assert not (tmp_path / "model").exists()


def write_text(path: Path) -> None:
    path.write_text("no weights")


def write_half(path: Path) -> None:
    lightning_file(task_state(OWN, "nlvr2"), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_old_half(path: Path) -> None:
    torch.save(task_state(OWN, "nlvr2"), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_program(path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))


def write_archive(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "pickle")


def write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": Commands("false")}))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("write", [write_text, write_half, write_old_half, write_program, write_archive, write_pickle])
def test_bytes_that_are_no_checkpoint_are_refused(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "odd.ckpt")
    with pytest.raises(UserError, match=r"odd\.ckpt is damaged or no checkpoint \(\w+\): give a checkpoint"):
        attempt(tmp_path / "odd.ckpt")


def test_options_that_are_missing_or_do_not_fit_are_named(tmp_path: Path) -> None:
    tokenizer, source = write_tokenizer(tmp_path / "words", 128), tmp_path / "vqa.safetensors"
    save_file(task_state(OWN, "vqa"), source)
    (tmp_path / "answers.json").write_text('["yes", "no"]')
    base = {"input": source, "output": tmp_path / "model", "text_heads": 4, "tokenizer.path": tokenizer}
    wrong: list[tuple[dict[str, object], str]] = [
        ({"input": tmp_path}, "is a directory without checkpoints"),
        ({"input": tmp_path / "none"}, "none does not exist"),
        ({"output": "null"}, "output is missing"),
        ({"output": tmp_path / "words"}, "words exists: give another"),
        ({"to": "reference"}, r"give a name that ends in \.ckpt or \.pth"),
        ({"image": "swin.pth"}, "leave image and text out, or input"),
        ({"text_heads": "null"}, "attention heads of a text side of width 32 .*text_heads=N"),
        ({"image_size": 70}, "image_size=70: give a multiple of 32"),
        ({"image_size": 0}, "image_size=0: give a multiple of 32"),
        ({"weights": "best"}, "weights=best: give averaged or raw"),
        ({"max_text_length": 17}, "max_text_length=17: the positions allow 3 to 16"),
        ({"task": "dance"}, "task=dance: give one of pretrain"),
        ({"task": "retrieval"}, r"lacks \d+ tensors of its model, .* of another task than it seems"),
        ({}, "chooses from 10 answers whose words the file does not hold: give answers=FILE"),
        ({"answers": tmp_path / "answers.json"}, r"answers\.json has 2 answers, the model 10: give the list"),
        ({"tokenizer.path": write_tokenizer(tmp_path / "more", 129)}, "has 129 entries, the model 128"),
        ({"tokenizer.path": "no-such/tokenizer"}, "tokenizer.path=no-such/tokenizer is neither a directory"),
    ]
    for changes, message in wrong:
        with pytest.raises(UserError, match=message):
            convert(converting(*(f"{name}={value}" for name, value in (base | changes).items())))
        assert not (tmp_path / "model").exists()
