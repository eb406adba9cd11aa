"""Every config file composes for the stages it suits, mirrors its dataclass, and refuses keys that do not exist."""

import inspect
from typing import Any

import pytest
from hydra.errors import ConfigCompositionException
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig

from fiber.checkpoints.model_configs import build_detector_config, build_model_config
from fiber.data.grounding_data_module import FineDataConfig
from fiber.data.pair_data_module import PairDataConfig
from fiber.data.readers.base import CaptionReader
from fiber.data.readers.packed import PackedReader
from fiber.models.config import FusionConfig
from fiber.models.detector_config import ChannelOrder, CoarserSampling, DetectorConfig
from fiber.objectives.grounding import GroundingCriterionConfig
from fiber.objectives.pretraining import PretrainingObjectiveConfig
from fiber.tasks.building import optimization_values
from fiber.tasks.coarse import pretraining_building
from fiber.tasks.coarse.fine_tuning_building import coarse_data_config
from fiber.tasks.coarse.tasks import COARSE_TASKS
from fiber.tasks.fine import building as fine_building
from fiber.tasks.fine.tasks import FINE_TASKS, PRETRAINING
from fiber.tasks.fine.tuning import Tuning
from fiber.tasks.optimizer import CoarseOptimizationConfig
from fiber.tasks.schedules import Decay
from fiber.tasks.trainer_config import TrainerConfig
from fiber.tasks.training import RECIPES
from fiber.utils.configs import build_dataclass, convert, plain

from .composing import CONFIGS, composed, fine_optimization, options

STAGES = ("coarse", "fine")
TASKS = (
    *(("coarse", task) for task in COARSE_TASKS),
    ("coarse", "pretrain"),
    ("fine", "pretrain"),
    *(("fine", task) for task in ("custom", "coco", "lvis", "flickr30k", "refcoco")),
)
"""Stages with their tasks; of tasks that read the same, the last is meant to try the data on."""
PACKED = {"packed": ("coarse", "nlvr2"), "packed_questions": ("coarse", "vqa"), "packed_boxes": ("fine", "coco")}
"""Data whose reader is of the kind that was packed."""


def readers(config: DictConfig) -> list[dict[str, Any]]:
    """Readers of all splits, resolved."""
    resolved = plain(config)["data"]
    val = resolved["val"]
    return [*resolved["train"], *(val if isinstance(val, list) else [val]), *resolved.get("splits", {}).values()]


def reader_kind(stage: str, task: str) -> type[Any]:
    """What a task reads."""
    if stage == "fine":
        return FINE_TASKS.get(task, PRETRAINING).reader_kind
    return CaptionReader if task == "pretrain" else COARSE_TASKS[task].reader_kind


def suited(option: str) -> tuple[str, str]:
    """The stage and task whose readers a data option names."""
    if option in PACKED:
        return PACKED[option]
    data = composed(f"data={option}").data
    kind = reader_class(data.train[0]._target_)
    if isinstance(data.val, ListConfig):
        return "fine", "pretrain"
    return [one for one in TASKS if issubclass(kind, reader_kind(*one))][-1]


def reader_class(target: str) -> type[Any]:
    """The reader that a data file names, itself or by a function that finds the format."""
    found = get_object(target)
    return found if inspect.isclass(found) else inspect.signature(found, eval_str=True).return_annotation


def build_all(config: DictConfig) -> None:
    """Fill every dataclass that stage and task have."""
    trainer = build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    if config.stage.name == "fine":
        config = config.copy()
        fine_building.settle_detector(config, None, convert(Tuning, config.get("tuning", "full"), "tuning"))
        build_detector_config(config, vocab_size=300)
        fine_building.fine_data_config(config, trainer)
        fine_building.evaluation_options(config, FINE_TASKS.get(config.task.name, PRETRAINING))
        fine_optimization(config)
        build_dataclass(GroundingCriterionConfig, plain(config.objective), "objective")
        return
    coarse_model(config)
    if config.task.name == "pretrain":
        pretraining_building.optimization_config(config)
        build_dataclass(PretrainingObjectiveConfig, plain(config.objective), "objective")
        coarse_data_config(config, trainer, PairDataConfig)
        return
    coarse_data_config(config, trainer, COARSE_TASKS[config.task.name].data_config)
    build_dataclass(CoarseOptimizationConfig, optimization_values(config, num_samples=10_000), "optimization")


def coarse_model(config: DictConfig, *, vocab_size: int = 300) -> FusionConfig:
    return build_model_config(
        config.model,
        default_window=config.image_size // 32,
        max_text_length=config.max_text_length,
        vocab_size=vocab_size,
    )


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "override", [f"{group}={option}" for group in ("model", "experiment") for option in options(group)]
)
def test_every_model_and_experiment_fills_the_dataclasses_of_both_stages(stage: str, override: str) -> None:
    build_all(composed(f"stage={stage}", override))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("debug", options("debug"))
def test_debugging_goes_with_the_demo_of_both_stages(stage: str, debug: str) -> None:
    build_all(composed(f"stage={stage}", "experiment=demo", f"debug={debug}"))


@pytest.mark.parametrize(
    "override",
    [f"{group}={option}" for group in ("trainer", "precision", "tokenizer") for option in options(group)],
)
def test_every_option_that_knows_no_stage_fills_its_dataclass(override: str) -> None:
    build_all(composed("stage=fine", override))


@pytest.mark.parametrize("option", options("data"))
def test_every_data_set_names_readers_of_its_task_with_arguments_that_they_take(option: str) -> None:
    stage, task = suited(option)
    demo = ["experiment=demo"] if option.startswith("shapes") else []  # the shapes are drawn in the demo's size
    config = composed(f"stage={stage}", f"task={task}", *demo, f"data={option}", "data_dir=somewhere")
    build_all(config)
    found = readers(config)
    assert len(found) >= 2
    for reader in found:
        arguments = {key: value for key, value in reader.items() if key != "_target_"}
        kind = get_object(reader["_target_"])
        assert issubclass(
            reader_class(reader["_target_"]), PackedReader if option in PACKED else reader_kind(stage, task)
        )
        inspect.signature(kind).bind(**arguments)
        if (
            "training" in inspect.signature(kind).parameters
        ):  # judging must not miss the images that training leaves out
            assert arguments.get("training", True) == (reader in plain(config)["data"]["train"])
        if not option.startswith("shapes"):
            places = [
                place for value in arguments.values() for place in (value if isinstance(value, list) else [value])
            ]
            assert any(str(place).startswith("somewhere") for place in places)


@pytest.mark.parametrize("recipe", options("recipe"))
def test_every_recipe_fills_the_dataclasses_of_its_stage_and_task(recipe: str) -> None:
    stage, task = recipe.removeprefix("demo_").split("_")[:2]
    demo = ["experiment=demo"] if recipe.startswith("demo") else []
    build_all(composed(f"stage={stage}", f"task={task}", *demo, f"recipe={recipe}", "data_dir=somewhere"))


@pytest.mark.parametrize("recipe", options("recipe"))
def test_every_recipe_says_its_command_hardware_and_result(recipe: str) -> None:
    text = (CONFIGS / "recipe" / f"{recipe}.yaml").read_text()
    header = text.partition("\n\n")[0]
    for part in ("scripts/train.py", "Hardware:", "Expected:"):
        assert part in header, part


def test_every_stage_and_task_has_its_recipe_data_and_code() -> None:
    for stage, task in RECIPES:
        config = composed(f"stage={stage}", f"task={task}")
        assert (config.stage.name, config.task.name) == (stage, task)
        for name in (f"{stage}_{task}", f"demo_{stage}_{task}"):
            assert (CONFIGS / "recipe" / f"{name}.yaml").is_file()
        assert (CONFIGS / "data" / f"{stage}_{task}.yaml").is_file()
        assert (CONFIGS / "data" / f"shapes_{stage}_{task}.yaml").is_file()
    assert {stage for stage, _ in RECIPES} == set(options("stage"))
    assert {task for _, task in RECIPES} == set(options("task"))


@pytest.mark.parametrize("option", options("logger"))
def test_every_logger_writes_to_the_run_directory(option: str) -> None:
    config = composed(f"logger=[{option}]", "run_dir=some/run")
    assert [logger.save_dir for logger in config.logger.values()] == ["some/run"]


def test_coarse_pretraining_is_the_paper_recipe() -> None:
    config = composed("stage=coarse")
    optimization = pretraining_building.optimization_config(config)
    assert (optimization.learning_rate, optimization.batch_size, optimization.max_steps) == (1e-5, 4096, 100_000)
    groups = optimization.groups
    assert (groups.weight_decay, groups.head_multiplier, groups.cross_modal_multiplier) == (0.01, 5, 5)
    assert optimization.schedule.warmup_steps(optimization.max_steps) == 10_000
    assert (config.image_size, config.max_text_length, config.objective.queue_size) == (384, 40, 4096)
    model = coarse_model(config, vocab_size=50265)
    assert (model.image.embed_dim, tuple(model.image.depths), model.image.window_size) == (128, (2, 2, 18, 2), 12)


def test_fine_pretraining_is_optimised_as_in_the_paper() -> None:
    optimization = fine_optimization(composed("stage=fine"))
    assert (optimization.learning_rate, optimization.batch_size, optimization.max_steps) == (1e-4, 64, 800_000)
    assert (optimization.gradient_clip, optimization.ema_decay) == (1.0, 0.999)
    assert (optimization.betas, optimization.eps) == ((0.9, 0.999), 1e-8)
    groups, schedule = optimization.groups, optimization.schedule
    assert (groups.weight_decay, groups.language_multiplier, groups.bias_multiplier) == (0.01, 0.1, 2.0)
    assert (schedule.decay, schedule.gamma, schedule.weight_decay_advance) == (Decay.MULTISTEP, 0.1, 0.667)
    assert (schedule.warmup_steps(800_000), schedule.warmup_start) == (2000, 0.001)
    assert schedule.milestone_steps(800_000) == (536_000, 712_000)


def test_fine_pretraining_has_the_paper_s_model() -> None:
    config = composed("stage=fine").copy()
    fine_building.settle_detector(config, None, Tuning.FULL)
    detector = build_detector_config(config, vocab_size=50265)
    expected = DetectorConfig(
        channels=256,
        num_blocks=6,
        num_groups=16,
        anchor_scale=8.0,
        coarser_sampling=CoarserSampling.REWRAPPED,
        channel_order=ChannelOrder.BGR,
        drop_path=0.4,
        drop_block=0.3,
        query_norm=True,
        text_budget=256,
    )
    assert detector.with_backbone(expected.backbone) == expected
    image, text = detector.backbone.image, detector.backbone.text
    assert (image.embed_dim, tuple(image.depths), image.window_size) == (128, (2, 2, 18, 2), 12)
    assert (text.hidden_size, text.num_layers, detector.backbone.num_fusion_layers) == (768, 12, 6)
    assert config.frozen_stages == 1
    criterion = build_dataclass(GroundingCriterionConfig, plain(config.objective), "objective")
    assert (criterion.token_weight, criterion.box_weight, criterion.centerness_weight) == (1, 2, 1)


def test_fine_pretraining_sees_the_paper_s_data() -> None:
    config = composed("stage=fine")
    trainer = build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    data: FineDataConfig = fine_building.fine_data_config(config, trainer)
    assert tuple(data.transform.short_sides) == (480, 560, 640, 720, 800)
    assert (data.transform.max_side, data.transform.flip_probability) == (1333, 0.5)
    assert (tuple(data.val_transform.short_sides), data.val_transform.flip_probability) == ((800,), 0.0)
    assert (data.text_budget, data.all_classes, data.val_batch_size) == (256, False, 1)
    negatives = data.negatives
    probabilities = (negatives.one_negative, negatives.no_negatives, negatives.all_negatives)
    assert (negatives.max_negatives, probabilities) == (85, (0.05, 0.05, 0.5))
    train = [reader["_target_"].rpartition(".")[2] for reader in plain(config)["data"]["train"]]
    assert train == ["MdetrGrounding", "MdetrGrounding", "CocoDetection"]
    assert config.data.weights is None


@pytest.mark.parametrize("overrides", [(), ("experiment=demo",)], ids=["recipe", "demo"])
def test_fine_pretraining_takes_from_the_base_only_what_it_had(overrides: tuple[str, ...]) -> None:
    config = composed("stage=fine", *overrides)
    assert (config.zero_shot, config.get("final_split"), config.tuning) == (False, None, "full")
    assert fine_building.evaluation_options(config, PRETRAINING) == PRETRAINING.options
    assert (config.detector.channel_order is None, config.detector.query_norm) == (False, True)


@pytest.mark.parametrize(("stage", "task"), RECIPES)
def test_the_demo_needs_no_files_and_one_process(stage: str, task: str) -> None:
    config = composed(f"stage={stage}", f"task={task}", "experiment=demo")
    if task != "custom":  # which is the user's
        assert all(reader["_target_"].startswith("fiber.data.shapes.") for reader in readers(config))
        assert {reader["image_size"] for reader in readers(config)} == {config.image_size}
    assert (config.trainer.accelerator, config.trainer.devices, config.tokenizer.path) == ("cpu", 1, None)
    assert config.trainer.batch_size == config.optimization.batch_size
    assert config.optimization.max_steps is None or config.optimization.max_steps % config.trainer.val_every == 0
    if stage == "fine":
        assert config.image_size == config.data.val_short_side
        assert config.image_size in config.transform.short_sides


@pytest.mark.parametrize("stage", STAGES)
def test_command_line_wins_over_an_experiment(stage: str) -> None:
    config = composed(f"stage={stage}", "experiment=demo", "model=small", "trainer=ddp", "optimization.max_steps=3")
    assert config.model.image.embed_dim == 96
    assert config.trainer.strategy == "ddp"
    assert config.optimization.max_steps == 3


FINE_KEYS = (
    "nonsense",
    "trainer.nonsense",
    "data.nonsense",
    "data.negatives.nonsense",
    "objective.nonsense",
    "optimization.groups.head_multiplier",
    "optimization.schedule.nonsense",
    "model.image.nonsense",
    "model.detector.nonsense",
    "detector.nonsense",
    "transform.nonsense",
)
COARSE_KEYS = ("data.nonsense", "objective.nonsense", "optimization.nonsense", "detector")


@pytest.mark.parametrize(
    ("stage", "key"), [*(("fine", key) for key in FINE_KEYS), *(("coarse", key) for key in COARSE_KEYS)]
)
def test_an_unknown_key_does_not_compose(stage: str, key: str) -> None:
    with pytest.raises(ConfigCompositionException, match=key):
        composed(f"stage={stage}", "experiment=demo", f"{key}=1")


@pytest.mark.parametrize("group", ["stage", "task", "model", "data", "trainer", "experiment", "debug"])
def test_an_unknown_option_does_not_compose(group: str) -> None:
    with pytest.raises(ConfigCompositionException, match="nonsense"):
        composed(f"{group}=nonsense")
