"""A plan from its configuration."""

import json
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from fiber.benchmarks.accelerators import find_accelerator
from fiber.data.tokenization import load_tokenizer
from fiber.planning.dataset_sizes import known_samples
from fiber.planning.estimate import Devices, Plan, make_plan
from fiber.planning.measuring import measure, measurement_record, print_comparison
from fiber.planning.planned_task import Sizes
from fiber.planning.report import plan_record, print_plan
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError

OPTIONS = (
    "gpu",
    "devices",
    "utilization",
    "memory_share",
    "num_samples",
    "vocab_size",
    "num_answers",
    "image_height",
    "image_width",
    "measure",
    "output",
)
"""Keys of `configs/plan.yaml` beside those of a training run."""
MEASURED_UTILIZATION = {"coarse": 0.1, "fine": 0.025}
"""Share of its peak that an H200 reached in the steps of `docs/benchmarks.md`, in bfloat16 and not compiled."""
ROBERTA_VOCABULARY = 50265
ROBERTA = ("roberta-base", "roberta-large", "distilroberta-base")


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What is planned with, and what is not known without data."""

    gpu: str | None
    """Kind; None = a CPU."""
    devices: int | None
    """Of all nodes; None = as the trainer says, 1 where it leaves them open."""
    utilization: float | None
    """Of the GPU's peak, in (0, 1]; None = what was measured."""
    memory_share: float
    """Of the GPU's memory, in (0, 1]."""
    num_samples: int | None
    """Of an epoch; None = as the data set is published."""
    vocab_size: int | None
    """None = the tokeniser's."""
    num_answers: int
    image_height: int | None
    """Pixels; None = as the recipe."""
    image_width: int | None
    measure: bool
    """Run the step here as well."""
    output: str | None
    """JSON file."""

    def __post_init__(self) -> None:
        for name in ("utilization", "memory_share"):
            if getattr(self, name) is not None and not 0 < getattr(self, name) <= 1:
                raise UserError(f"{name}={getattr(self, name)}: give a share above 0 and up to 1.")
        for name in ("devices", "num_samples", "vocab_size", "num_answers", "image_height", "image_width"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}: give 1 or more.")
        if (self.image_height is None) != (self.image_width is None):
            raise UserError("image_height and image_width go together: give both or none.")

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of all images, where they are given."""
        if self.image_height is None or self.image_width is None:
            return None
        return self.image_height, self.image_width


def run_plan(config: DictConfig, *, data: str | None) -> Plan:
    """Print a plan, and write it where `output` says.

    Args:
        config: composed from `configs/plan.yaml`.
        data: option of the `data` group, by which the size of public data is known.

    Raises:
        UserError: an option that there is not, or a batch that cannot be made up.
    """
    options = build_dataclass(PlanOptions, {key: config[key] for key in OPTIONS}, "plan")
    trainer = build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    devices = Devices(
        number=options.devices or trainer_devices(trainer),
        accelerator=None if options.gpu is None else find_accelerator(options.gpu),
        utilization=options.utilization or MEASURED_UTILIZATION[config.stage.name],
        memory_share=options.memory_share,
    )
    sizes = Sizes(
        vocab_size=options.vocab_size or vocabulary_size(config.tokenizer),
        num_answers=options.num_answers,
        num_samples=options.num_samples or known_samples(config, data),
    )
    plan = make_plan(config, trainer, devices, sizes, size=options.size)
    console = Console()
    console.width = max(console.width, 100)  # a table for logs as well
    print_plan(plan, console)
    record = plan_record(plan)
    if options.measure:
        measurement = measure(config, trainer, plan, sizes)
        print_comparison(plan, measurement, console)
        record["measured"] = measurement_record(measurement)
    if options.output is not None:
        path = Path(options.output)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=2) + "\n")
    return plan


def trainer_devices(trainer: TrainerConfig) -> int:
    """Of all nodes; `auto` counts as one per node."""
    return trainer.num_nodes * (trainer.devices if isinstance(trainer.devices, int) else 1)


def vocabulary_size(config: DictConfig) -> int:
    """Entries of the tokeniser; of one that is trained on the data, its most."""
    if config.path is None:
        return int(config.vocab_size)
    return ROBERTA_VOCABULARY if config.path in ROBERTA else load_tokenizer(config.path).vocab_size
