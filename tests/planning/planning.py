"""Plans composed as the script does, small enough to run beside them."""

from functools import partial
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from fiber.planning.estimate import task_builder
from fiber.planning.operation_tracker import OperationTracker
from fiber.planning.planned_task import Sizes
from fiber.planning.training_step import Run, StepCost, StepOptions, TrackedTraining, simulate
from fiber.planning.workload import Workload
from fiber.tasks.acceleration import checkpoint_activations

CONFIGS = Path(__file__).parents[2] / "configs"
SIZES = Sizes(vocab_size=300, num_answers=31, num_samples=1000)
SINGLE = StepOptions(half=None, keeps_gradients=False)
CPU = torch.device("cpu")


def composed(*overrides: str) -> DictConfig:
    """The configuration of a plan."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("plan", overrides=["run_dir=run", *overrides])


def square(config: DictConfig, batch_size: int = 4) -> Workload:
    """Images of the configuration's size."""
    side = config.image_size
    return Workload(batch_size=batch_size, height=side, width=side, text_length=config.max_text_length)


def planned_cost(config: DictConfig, load: Workload, *, checkpointing: bool = False, on_gpu: bool = False) -> StepCost:
    """Of a simulated step."""
    [cost], _ = simulate(task_builder(config, SIZES), SINGLE, [Run(load, checkpointing)], on_gpu=on_gpu)
    return cost


def real_training(config: DictConfig, load: Workload, tracker: OperationTracker) -> TrackedTraining:
    """The same with values; the tracker is active."""
    torch.manual_seed(0)
    forward = partial(torch.autocast, "cpu", enabled=False)
    return TrackedTraining(task_builder(config, SIZES), SINGLE, load, tracker, device=CPU, forward=forward)


def real_cost(config: DictConfig, load: Workload, *, checkpointing: bool = False) -> StepCost:
    """Of a step that is run."""
    with OperationTracker() as tracker:
        training = real_training(config, load, tracker)
        if checkpointing:
            checkpoint_activations(training.task.training.backbone)
        training.step(load)
        return training.step(load)
