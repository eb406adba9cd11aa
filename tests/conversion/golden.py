"""Files in the original's format, wrapped around golden states as its trainers save them."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_file
from tokenizers import Tokenizer, models
from torch import Tensor

from fiber.data.tokenization import SPECIAL_TOKENS, TextTokenizer

from ..parity.comparison import read_meta

OWN = Path(__file__).parents[1] / "parity" / "golden" / "coarse_small"
"""A state without buffers; the shared one has them."""
CONFIGS = Path(__file__).parents[2] / "configs" / "convert"
State = dict[str, Tensor]
CLASSIFIERS = "vqa_classifier|nlvr2_classifier|cross_modal_att_layers"
WITHOUT = {
    "vqa": "nlvr2_classifier|cross_modal_att_layers|mlm_score|itm_score|rank_output|temp$",
    "nlvr2": "vqa_classifier|cross_modal_att_layers|mlm_score|itm_score|rank_output|temp$",
    "caption": "vqa_classifier|nlvr2_classifier|itm_score|rank_output|temp$",
    "pretrain": CLASSIFIERS,
    "itc": f"{CLASSIFIERS}|mlm_score|itm_score|rank_output",
    "itm": f"{CLASSIFIERS}|mlm_score|temp$",
}
"""What the original's models of each task do not have, of a state with all heads."""


class LightningCallback:
    """Stands for the class by which old Lightning keys the state of its callbacks."""


@cache
def default_conversion() -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("convert")


def converting(*overrides: str) -> DictConfig:
    """The configuration of `convert_checkpoint.py`."""
    config = OmegaConf.merge(default_conversion(), OmegaConf.from_dotlist(list(overrides)))
    assert isinstance(config, DictConfig)
    return config


def task_state(folder: Path, task: str) -> State:
    """A golden coarse state as a model of one task has it, with queues where it has them."""
    state = load_file(folder / "reference_state.safetensors")
    state = {name: value for name, value in state.items() if not re.match(WITHOUT[task], name)}
    sizes = read_meta(folder)["config"]
    if task in ("pretrain", "itc"):
        generator = torch.Generator().manual_seed(3)
        width, side, length = sizes["hidden_size"], sizes["image_size"], 7
        state |= {
            "image_queue": torch.randn(width, 5, generator=generator),
            "text_queue": torch.randn(width, 5, generator=generator),
            "image_input_queue": torch.randn(5, 3, side, side, generator=generator),
            "text_input_queue": torch.ones(5, length, dtype=torch.long),
            "text_input_mask_queue": torch.ones(5, length, dtype=torch.long),
            "queue_ptr": torch.zeros(1, dtype=torch.long),
            "queue_total": torch.full((1,), 3),
        }
    return state


def lightning_file(state: State, path: Path, **settings: Any) -> Path:
    """A Lightning 1.3 file saved in full."""
    content = {
        "epoch": 3,
        "global_step": 1000,
        "pytorch-lightning_version": "1.3.2",
        "state_dict": state,
        "callbacks": {LightningCallback: {"best_model_path": "x", "best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-5}]}],
        "lr_schedulers": [{"last_epoch": 3}],
        "hparams_name": "config",
        "hyper_parameters": {"config": settings},
    }
    torch.save(content, path)
    return path


def write_tokenizer(folder: Path, size: int) -> Path:
    """A tokeniser of RoBERTa's kind with as many entries."""
    words = [*SPECIAL_TOKENS, *(f"w{number}" for number in range(size - len(SPECIAL_TOKENS) - 1))]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.add_special_tokens(["<mask>"])
    TextTokenizer(tokenizer, name="made").save(folder)
    return folder


def written(path: Path) -> dict[str, Any]:
    """Content of a file that a conversion wrote, which holds nothing but tensors, numbers and text."""
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def assert_same(found: State, expected: State) -> None:
    """Names, types and every number."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name
