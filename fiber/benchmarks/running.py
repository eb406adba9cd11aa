"""A benchmark from its configuration."""

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console

from fiber.benchmarks.forward import benchmark_forward
from fiber.benchmarks.input_pipeline import benchmark_input
from fiber.benchmarks.report import Row, append_csv, print_table, write_json
from fiber.benchmarks.step import StepSettings, benchmark_step
from fiber.data.transforms import STRIDE
from fiber.tasks.building import build_model_config
from fiber.tasks.coarse_building import build_pair_data
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.errors import UserError

PARTS = ("step", "forward", "input")


def run_benchmark(config: DictConfig) -> list[Row]:
    """Time what `parts` names, print a table and write the figures.

    Raises:
        UserError: an unknown part, precision or device.
    """
    unknown = [part for part in config.parts if part not in PARTS]
    if unknown:
        raise UserError(f"parts names {unknown[0]}: give some of {', '.join(PARTS)}.")
    rows: list[Row] = []
    if "step" in config.parts:
        rows += benchmark_step(step_settings(config), repeats=config.repeats)
    if "forward" in config.parts:
        rows += benchmark_forward(step_settings(config), repeats=config.repeats)
    if "input" in config.parts:
        rows += time_input(config)
    settings = described(config)
    console = Console()
    console.width = max(console.width, 120)  # a table for logs as well
    print_table(rows, console)
    write_json(rows, settings, Path(config.output))
    if config.csv is not None:
        append_csv(rows, settings, Path(config.csv))
    return rows


def step_settings(config: DictConfig) -> StepSettings:
    """Model and batch that are timed."""
    device = "cuda" if config.device == "auto" and torch.cuda.is_available() else config.device
    device = "cpu" if device == "auto" else device
    if config.precision not in ("auto", "bf16", "fp32"):
        raise UserError(f"precision={config.precision}: give auto, bf16 or fp32.")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: PyTorch sees no GPU here.")
    model = build_model_config(
        config.model,
        default_window=config.image_size // STRIDE,
        max_text_length=config.max_text_length,
        vocab_size=config.vocab_size,
    )
    return StepSettings(
        model=model,
        image_size=config.image_size,
        batch_size=config.batch_size,
        text_length=config.max_text_length,
        queue_size=config.queue_size,
        device=device,
        autocast=config.precision == "bf16" or (config.precision == "auto" and device == "cuda"),
        compile=config.compile,
    )


def time_input(config: DictConfig) -> list[Row]:
    """Batches of the configured data."""
    trainer = TrainerConfig(batch_size=config.batch_size, num_workers=config.num_workers)
    data_module, _ = build_pair_data(config, trainer)
    return benchmark_input(data_module, num_batches=4 * config.repeats)


def described(config: DictConfig) -> dict[str, Any]:
    """What the figures belong to."""
    image = config.model.image
    settings = step_settings(config)
    return {
        "swin": f"{image.embed_dim}-{'.'.join(map(str, image.depths))}",
        "image_size": config.image_size,
        "batch_size": config.batch_size,
        "queue_size": config.queue_size,
        "precision": "bf16" if settings.autocast else "fp32",
        "compiled": config.compile,
    }
