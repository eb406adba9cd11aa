"""What judges a trained model on a split, whatever the stage."""

from collections.abc import Mapping
from typing import NamedTuple

from omegaconf import DictConfig, ListConfig
from torch import Tensor, nn

from fiber.checkpoints.run_folder import CONFIG_FILE
from fiber.checkpoints.trained_run import RunFiles
from fiber.data.data_module import EvaluationDataModule
from fiber.tasks.split_evaluator import Evaluator
from fiber.utils.errors import UserError


class Judging(NamedTuple):
    """What a stage contributes to an evaluation."""

    model: nn.Module
    evaluator: Evaluator
    data_module: EvaluationDataModule


def find_split(config: DictConfig, split: str, *, key: str = "split") -> DictConfig:
    """The reader of a split.

    Args:
        config: of a run.
        split: name in its data.
        key: that names the split, for messages.

    Raises:
        UserError: the data have no such split, or several to validate on, as those of pre-training.
    """
    splits = {"val": config.data.val, **(config.data.get("splits") or {})}
    if split not in splits:
        raise UserError(f"{key}={split}: these data have {', '.join(map(str, splits))}; or give other data=...")
    found = splits[split]
    if isinstance(found, ListConfig):
        task, stage = config.task.name, config.stage.name
        raise UserError(f"{key}={split}: these data have several sets: give data={stage}_{task} and data_dir=...")
    assert isinstance(found, DictConfig)
    return found


def fill(model: nn.Module, weights: Mapping[str, Tensor], files: RunFiles, *, task: str, trained_for: str) -> nn.Module:
    """The model with a run's weights, in evaluation mode; those of heads that it has not are left over.

    Raises:
        UserError: the checkpoint is of another task, or does not fit its run.
    """
    own = model.state_dict()
    odd = [name for name in own if name not in weights or own[name].shape != weights[name].shape]
    if odd and trained_for != task:
        raise UserError(
            f"checkpoint={files.checkpoint} is of task={trained_for} and has no {odd[0]} that task={task} could use: "
            "give a checkpoint of that task."
        )
    if odd:
        raise UserError(
            f"checkpoint={files.checkpoint} does not fit {CONFIG_FILE} of its run: {len(odd)} tensors differ, {odd[0]} "
            "among them. Has the file been moved from another run?"
        )
    model.load_state_dict({name: weights[name] for name in own})
    return model.eval()
