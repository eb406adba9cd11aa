"""How fast batches come: reading, resizing, tokenising, masking."""

import time

from fiber.benchmarks.report import Row
from fiber.benchmarks.timing import Timing
from fiber.data.pair_data_module import PairDataModule


def benchmark_input(data_module: PairDataModule, *, num_batches: int) -> list[Row]:
    """Seconds between batches of the training loader, the first left out.

    Args:
        data_module: as in training.
        num_batches: to time.
    """
    loader = data_module.train_dataloader()
    seconds: list[float] = []
    last = time.perf_counter()
    while len(seconds) <= num_batches:
        for _ in loader:  # a small data set runs through several epochs
            now = time.perf_counter()
            seconds.append(now - last)
            last = now
            if len(seconds) > num_batches:
                break
    config = data_module.config
    variant = f"{config.image_size} px, {config.num_workers} workers"
    timing = Timing(tuple(seconds[1:]))
    size = str(config.image_size)
    return [
        Row(part="input pipeline", variant=variant, timing=timing, image_size=size, samples=config.batch_size),
    ]
