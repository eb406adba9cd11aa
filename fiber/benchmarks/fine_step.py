"""One training step of the grounded detector."""

from dataclasses import dataclass

import torch

from fiber.benchmarks.fine_setting import FineSettings, build_detector, random_batch, random_targets
from fiber.benchmarks.flops import count_flops, peak_flops
from fiber.benchmarks.report import Row
from fiber.benchmarks.timing import peak_memory, time_interleaved
from fiber.objectives.grounding import GroundingCriterion


class FineStep:
    """Forward, losses and backward of one batch of random images, texts and boxes; the optimiser is left out."""

    def __init__(self, settings: FineSettings) -> None:
        self.settings = settings
        self.device = torch.device(settings.device)
        self.model = build_detector(settings)
        self.criterion = GroundingCriterion(settings.detector)
        self.batch = random_batch(settings, batch_size=settings.batch_size)
        self.targets = random_targets(settings)

    def __call__(self) -> None:
        self.model.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.autocast):
            output = self.model(*self.batch)
        torch.autograd.backward(self.criterion(output, self.targets).total())


@dataclass(frozen=True, slots=True)
class FreshFineStep:
    """Builds a step and runs it twice; for measuring memory in a process of its own."""

    settings: FineSettings

    def __call__(self) -> None:
        step = FineStep(self.settings)
        step()
        step()


def benchmark_fine_step(settings: FineSettings, *, repeats: int, warmup: int) -> list[Row]:
    """Time, memory and operations of the step."""
    device = torch.device(settings.device)
    peak = peak_memory(FreshFineStep(settings), device)
    step = FineStep(settings)
    operations = count_flops(step)
    [timing] = time_interleaved([step], device, repeats=repeats, warmup=warmup)
    return [
        Row(
            part="fine training step",
            variant="eager",
            timing=timing,
            image_size=settings.image_size,
            samples=settings.batch_size,
            peak_bytes=peak,
            flops=operations,
            peak_flops=peak_flops(device),
        )
    ]
