"""The parts of detecting one prompt in one image."""

import torch

from fiber.benchmarks.fine_setting import FineSettings, build_detector, let_it_find, random_batch
from fiber.benchmarks.flops import count_flops, peak_flops
from fiber.benchmarks.report import Row
from fiber.benchmarks.timing import time_interleaved
from fiber.detection.postprocessing import GroundingPostProcessor

TOKENS_PER_LABEL = 5


@torch.inference_mode()
def benchmark_fine_parts(settings: FineSettings, *, repeats: int, warmup: int) -> list[Row]:
    """Both trunks, fusion, pyramid, head and post-processing, and the whole."""
    device = torch.device(settings.device)
    model = build_detector(settings).eval()
    batch = random_batch(settings, batch_size=1)
    let_it_find(model, batch)
    post_process = GroundingPostProcessor(model.config)
    ends = range(1, settings.text_length, TOKENS_PER_LABEL)
    positions = [[range(end, min(end + TOKENS_PER_LABEL, settings.text_length)) for end in ends]]
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.autocast):
        image, text = model.encode_image(batch.pixels), model.encode_text(batch.token_ids, batch.mask)
        fused = model.backbone.fuse(image, text)
        levels = model.pyramid(model.stage_features(fused))
        output = model.head(levels, fused.text, fused.text_mask)
        functions = {
            "encode_image": lambda: model.encode_image(batch.pixels),
            "encode_text": lambda: model.encode_text(batch.token_ids, batch.mask),
            "fuse": lambda: model.backbone.fuse(image, text),
            "pyramid": lambda: model.pyramid(model.stage_features(fused)),
            "head": lambda: model.head(levels, fused.text, fused.text_mask),
            "post-processing": lambda: post_process(output, [settings.size], positions),
            "all": lambda: post_process(model(*batch), [settings.size], positions),
        }
        flops = [count_flops(function) for function in functions.values()]
        timings = time_interleaved(list(functions.values()), device, repeats=repeats, warmup=warmup)
    return [
        Row(
            part=f"fine inference {name}",
            variant="eager",
            timing=timing,
            image_size=settings.image_size,
            samples=1,
            flops=operations,
            peak_flops=peak_flops(device),
        )
        for name, timing, operations in zip(functions, timings, flops, strict=True)
    ]
