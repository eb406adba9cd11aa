"""A benchmark from its configuration."""

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from fiber.benchmarks.captions import CaptionSettings, benchmark_captions
from fiber.benchmarks.chunks import benchmark_chunks
from fiber.benchmarks.deformable import benchmark_deformable
from fiber.benchmarks.fine_parts import benchmark_fine_parts
from fiber.benchmarks.fine_setting import FineSettings
from fiber.benchmarks.fine_step import benchmark_fine_step
from fiber.benchmarks.forward import benchmark_forward
from fiber.benchmarks.input_pipeline import benchmark_input
from fiber.benchmarks.ranking import GallerySettings, benchmark_ranking
from fiber.benchmarks.report import Row, append_csv, print_table, write_json
from fiber.benchmarks.step import StepSettings, benchmark_step
from fiber.checkpoints.model_configs import build_detector_config, build_model_config
from fiber.data.transforms import STRIDE
from fiber.tasks.coarse.pretraining_building import build_pair_data
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.errors import UserError

PARTS = ("step", "forward", "input", "fine_step", "fine_parts", "chunks", "deformable", "ranking", "captions")


def run_benchmark(config: DictConfig) -> list[Row]:
    """Time what `parts` names, print a table and write the figures.

    Raises:
        UserError: an unknown part or device.
    """
    unknown = [part for part in config.parts if part not in PARTS]
    if unknown:
        raise UserError(f"parts names {unknown[0]}: give some of {', '.join(PARTS)}.")
    rounds = {"repeats": config.repeats, "warmup": config.warmup}
    rows: list[Row] = []
    if "step" in config.parts:
        rows += benchmark_step(step_settings(config), **rounds)
    if "forward" in config.parts:
        rows += benchmark_forward(step_settings(config), **rounds)
    if "input" in config.parts:
        rows += time_input(config)
    if "fine_step" in config.parts:
        rows += benchmark_fine_step(fine_settings(config), **rounds)
    if "fine_parts" in config.parts:
        rows += benchmark_fine_parts(fine_settings(config), **rounds)
    if "chunks" in config.parts:
        rows += time_chunks(config)
    if "deformable" in config.parts:
        rows += benchmark_deformable(fine_settings(config), **rounds)
    if "ranking" in config.parts:
        rows += time_ranking(config)
    if "captions" in config.parts:
        rows += time_captions(config)
    settings = described(config)
    console = Console()
    console.width = max(console.width, 160)  # a table for logs as well
    print_table(rows, console)
    write_json(rows, settings, Path(config.output))
    if config.csv is not None:
        append_csv(rows, settings, Path(config.csv))
    return rows


def device_and_autocast(config: DictConfig) -> tuple[str, bool]:
    """Where it runs, and whether in bfloat16.

    Raises:
        UserError: there is no such device.
    """
    device = "cuda" if config.device == "auto" and torch.cuda.is_available() else config.device
    device = "cpu" if device == "auto" else device
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: PyTorch sees no GPU here.")
    precision = config.trainer.precision
    return device, precision == "bf16-mixed" or (precision == "auto" and device == "cuda")


def step_settings(config: DictConfig) -> StepSettings:
    """Model and batch of the coarse stage that are timed."""
    device, autocast = device_and_autocast(config)
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
        autocast=autocast,
        compile=config.compile,
    )


def fine_settings(config: DictConfig) -> FineSettings:
    """Detector and batch of the fine stage that are timed.

    Raises:
        UserError: sides that the image's stages do not divide, texts beyond the budget, or compilation.
    """
    if config.compile:
        raise UserError("compile=true: the parts of the fine stage are timed without; give compile=false.")
    device, autocast = device_and_autocast(config)
    # The coarse stage's texts are shorter.
    values = OmegaConf.merge(config, {"max_text_length": config.text_budget})
    assert isinstance(values, DictConfig)
    detector = build_detector_config(values, vocab_size=config.vocab_size)
    stride = detector.backbone.image.stride
    for key in ("image_height", "image_width"):
        if config[key] % stride:
            raise UserError(f"{key}={config[key]}: give a multiple of {stride}.")
    if config.prompt_length > config.text_budget:
        raise UserError(f"prompt_length={config.prompt_length}: give at most text_budget={config.text_budget}.")
    return FineSettings(
        detector=detector,
        image_height=config.image_height,
        image_width=config.image_width,
        batch_size=config.batch_size,
        text_length=config.prompt_length,
        boxes_per_image=config.boxes_per_image,
        device=device,
        autocast=autocast,
    )


def time_chunks(config: DictConfig) -> list[Row]:
    """Prompts of a long class list, and a line on how far the ways agree."""
    rows, agreement = benchmark_chunks(
        fine_settings(config),
        num_classes=config.num_classes,
        classes_per_prompt=config.classes_per_prompt,
        repeats=config.repeats,
        warmup=config.warmup,
    )
    for name, one in agreement.items():
        print(f"{name}: {one}", flush=True)
    return rows


def time_ranking(config: DictConfig) -> list[Row]:
    """All pairs of a small gallery, and a line on how far the ways agree."""
    gallery = GallerySettings(
        num_images=config.num_images, num_texts=config.num_texts, pairs_per_pass=config.pairs_per_pass
    )
    rows, agreement = benchmark_ranking(step_settings(config), gallery, repeats=config.repeats, warmup=config.warmup)
    print(agreement, flush=True)
    return rows


def time_captions(config: DictConfig) -> list[Row]:
    """Beam search, and a line on how far the ways agree.

    Raises:
        UserError: captions that do not fit the buffer.
    """
    if config.caption_tokens > config.caption_buffer:
        raise UserError(f"caption_tokens={config.caption_tokens}: give at most caption_buffer={config.caption_buffer}.")
    values = OmegaConf.merge(config, {"max_text_length": config.caption_buffer})
    assert isinstance(values, DictConfig)
    step = step_settings(values)
    settings = CaptionSettings(
        model=step.model,
        image_size=config.image_size,
        batch_size=config.batch_size,
        num_beams=config.num_beams,
        num_tokens=config.caption_tokens,
        buffer_length=config.caption_buffer,
        device=step.device,
        autocast=step.autocast,
    )
    rows, num_alike = benchmark_captions(settings, repeats=config.repeats, warmup=config.warmup)
    print(f"the same caption for {num_alike} of {config.batch_size} images", flush=True)
    return rows


def time_input(config: DictConfig) -> list[Row]:
    """Batches of the configured data."""
    trainer = TrainerConfig(batch_size=config.batch_size, num_workers=config.num_workers)
    data_module, _ = build_pair_data(config, trainer)
    return benchmark_input(data_module, num_batches=4 * config.repeats)


def described(config: DictConfig) -> dict[str, Any]:
    """What the figures belong to."""
    image = config.model.image
    return {
        "swin": f"{image.embed_dim}-{'.'.join(map(str, image.depths))}",
        "precision": "bf16" if device_and_autocast(config)[1] else "fp32",
        "compiled": config.compile,
    }
