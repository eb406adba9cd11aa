"""Forward passes of the backbone's verbs.

Axes: B pairs, S image side, L text tokens.
"""

import torch

from fiber.benchmarks.flops import count_flops, peak_flops
from fiber.benchmarks.report import Row
from fiber.benchmarks.step import StepSettings, TrainingStep
from fiber.benchmarks.timing import time_interleaved
from fiber.data.normalization import normalize_pixels


@torch.inference_mode()
def benchmark_forward(settings: StepSettings, *, repeats: int, warmup: int) -> list[Row]:
    """encode_image, encode_text, fuse and the dual encoder's rest, in evaluation mode."""
    device = torch.device(settings.device)
    step = TrainingStep(settings, share_trunk=True)
    model, pairs = step.model.eval(), step.inputs.pairs
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=settings.autocast)
    with autocast:
        pixels = normalize_pixels(pairs.image)
        image = model.backbone.encode_image(pixels)
        text = model.backbone.encode_text(pairs.text_ids, pairs.text_mask)
        functions = {
            "encode_image": lambda: model.backbone.encode_image(pixels),
            "encode_text": lambda: model.backbone.encode_text(pairs.text_ids, pairs.text_mask),
            "fuse": lambda: model.backbone.fuse(image, text),
            "pool_image": lambda: model.backbone.pool_image(image),
            "pool_text": lambda: model.backbone.pool_text(text),
        }
        flops = [None if settings.compile else count_flops(function) for function in functions.values()]
        timings = time_interleaved(list(functions.values()), device, repeats=repeats, warmup=warmup)
    return [
        Row(
            part=f"forward {name}",
            variant="compiled" if settings.compile else "eager",
            timing=timing,
            image_size=str(settings.image_size),
            samples=settings.batch_size,
            flops=operations,
            peak_flops=peak_flops(device),
        )
        for name, timing, operations in zip(functions, timings, flops, strict=True)
    ]
