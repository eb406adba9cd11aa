"""Recipes of the fine stage's tasks against the original's settings."""

from dataclasses import fields, replace
from typing import NamedTuple

import pytest
from hydra.errors import ConfigCompositionException

from fiber.tasks.fine import building as fine_building
from fiber.tasks.fine.boxes.options import BoxEvaluationConfig
from fiber.tasks.fine.tasks import FINE_TASKS
from fiber.tasks.schedules import Decay
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain

from .composing import CONFIGS, composed, fine_optimization, options


class Published(NamedTuple):
    """How the original fine-tunes for a task."""

    learning_rate: float = 1e-5
    language_multiplier: float = 1.0
    bias_multiplier: float = 2.0
    weight_decay: float = 1e-4
    batch_size: int = 32
    max_epochs: int = 24
    val_every: int | None = 2500
    """Steps; None = an epoch."""
    decay: Decay = Decay.MULTISTEP
    warmup: int = 2000
    warmup_start: float = 0.001
    milestones: tuple[float, ...] = (0.67, 0.89)
    weight_decay_advance: float | None = None
    gradient_clip: float | None = None
    ema_decay: float | None = 0.999
    frozen_stages: int | None = None
    flip_probability: float = 0.5
    all_classes: bool = False
    shuffle: bool = True
    negatives: tuple[float, ...] = (85, 0.05, 0.05, 0.5)
    """Classes drawn at most, and probabilities of one, none and all of them; without `all_classes`."""
    options: BoxEvaluationConfig = BoxEvaluationConfig(
        score_threshold=0.05,
        max_candidates=1000,
        nms_threshold=0.6,
        max_detections=100,
        classes_per_prompt=None,
    )


REFERRING = Published(
    batch_size=16,
    max_epochs=20,
    flip_probability=0.0,
    options=replace(Published().options, max_candidates=3000, score_threshold=0.0),
)
PUBLISHED = {
    "refcoco": REFERRING,
    "refcoco+": REFERRING,
    "refcocog": REFERRING,
    "coco": Published(all_classes=True),
    "lvis": Published(
        negatives=(85, 0.0, 0.0, 1.0),
        val_every=20_000,  # ours: the original does not validate
        options=replace(Published().options, max_detections=300, classes_per_prompt=40),
    ),
    "odinw": Published(
        learning_rate=1e-4,
        language_multiplier=0.1,
        weight_decay=0.05,
        batch_size=4,
        max_epochs=200,
        val_every=None,
        decay=Decay.PLATEAU,
        warmup=0,
        gradient_clip=1.0,
        ema_decay=None,
        frozen_stages=1,
        all_classes=True,
        shuffle=False,
    ),
}
"""By task; of the original's README and task files."""


@pytest.mark.parametrize("task", PUBLISHED)
def test_fine_tuning_is_the_paper_s_recipe(task: str) -> None:
    config = composed("stage=fine", f"task={task}")
    optimization = fine_optimization(config)
    groups, schedule = optimization.groups, optimization.schedule
    trainer = build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    data = fine_building.fine_data_config(config, trainer)
    negatives = data.negatives
    assert PUBLISHED[task] == Published(
        learning_rate=optimization.learning_rate,
        language_multiplier=groups.language_multiplier,
        bias_multiplier=groups.bias_multiplier,
        weight_decay=groups.weight_decay,
        batch_size=optimization.batch_size,
        max_epochs=config.optimization.max_epochs,
        val_every=trainer.val_every,
        decay=schedule.decay,
        warmup=schedule.warmup_steps(100_000),
        warmup_start=schedule.warmup_start,
        milestones=tuple(schedule.milestones),
        weight_decay_advance=schedule.weight_decay_advance,
        gradient_clip=optimization.gradient_clip,
        ema_decay=optimization.ema_decay,
        frozen_stages=config.frozen_stages,
        flip_probability=data.transform.flip_probability,
        all_classes=data.all_classes,
        shuffle=negatives.shuffle,
        negatives=(
            negatives.max_negatives,
            negatives.one_negative,
            negatives.no_negatives,
            negatives.all_negatives,
        ),
        options=fine_building.evaluation_options(config, FINE_TASKS[task]),
    )
    assert (optimization.betas, optimization.eps, schedule.gamma) == ((0.9, 0.999), 1e-8, 0.1)
    assert tuple(data.transform.short_sides) == (480, 560, 640, 720, 800) and data.transform.max_side == 1333
    assert config.tuning == "full"


def test_fine_tuning_on_odinw_follows_the_paper_s_plateau() -> None:
    schedule = fine_optimization(composed("stage=fine", "task=odinw")).schedule
    assert (schedule.patience, schedule.stop_patience, schedule.min_learning_rate) == (3, 8, 1e-6)


def test_which_boxes_count_can_be_said_in_training() -> None:
    config = composed("stage=fine", "task=lvis", "evaluation.score_threshold=0", "evaluation.max_detections=7")
    options = fine_building.evaluation_options(config, FINE_TASKS["lvis"])
    assert options == replace(PUBLISHED["lvis"].options, score_threshold=0, max_detections=7)
    assert set(config.evaluation) == {field.name for field in fields(BoxEvaluationConfig)}
    with pytest.raises(ConfigCompositionException, match=r"evaluation\.nonsense"):
        composed("stage=fine", "task=lvis", "evaluation.nonsense=1")


def test_the_demo_of_every_task_is_judged_before_it_learns_where_its_recipe_says_so() -> None:
    for recipe in options("recipe"):
        text = (CONFIGS / "recipe" / f"{recipe}.yaml").read_text()
        if recipe.startswith("demo_fine") and "zero_shot/" in text:
            task = recipe.removeprefix("demo_fine_")
            assert composed("stage=fine", f"task={task}", "experiment=demo").zero_shot is True, task
