"""One training step of coarse pre-training, with shared and with separate trunks.

Axes: B pairs, S image side, L text tokens.
"""

from dataclasses import dataclass

import torch

from fiber.benchmarks.flops import count_flops, peak_flops
from fiber.benchmarks.report import Row
from fiber.benchmarks.timing import peak_memory, time_interleaved
from fiber.data.normalization import normalize_pixels
from fiber.models.config import FusionConfig
from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.pairs import EmbeddedPairs, RawPairs
from fiber.objectives.passes import PretrainingInputs
from fiber.objectives.pretraining import PretrainingObjective, PretrainingObjectiveConfig
from fiber.tasks.acceleration import compile_backbone


@dataclass(frozen=True, kw_only=True)
class StepSettings:
    """What is timed. Picklable, so that a fresh process can repeat it."""

    model: FusionConfig
    image_size: int
    """Pixels."""
    batch_size: int
    text_length: int
    """Tokens."""
    queue_size: int
    """Pairs the negatives are drawn from; 0 = the batch alone, whose trunks are at hand."""
    device: str
    autocast: bool
    """bfloat16 where it is safe."""
    compile: bool


class TrainingStep:
    """Forward and backward of one batch of random pairs; the optimiser is left out, alike for both kinds of trunk."""

    def __init__(self, settings: StepSettings, *, share_trunk: bool) -> None:
        torch.manual_seed(0)
        self.settings = settings
        self.device = torch.device(settings.device)
        self.model = FiberForPretraining(settings.model).to(self.device)
        config = PretrainingObjectiveConfig(queue_size=settings.queue_size, share_trunk=share_trunk)
        self.objective = PretrainingObjective(config, normalize=normalize_pixels)
        self.inputs = self.random_inputs(settings.batch_size)
        self.fill_queue()
        if settings.compile:
            compile_backbone(self.model.backbone)

    def random_inputs(self, num_pairs: int) -> PretrainingInputs:
        settings, device = self.settings, self.device
        ids = torch.randint(4, settings.model.text.vocab_size - 1, (num_pairs, settings.text_length), device=device)
        selected = torch.rand(ids.shape, device=device) < 0.15
        image = torch.randint(0, 256, (num_pairs, 3, settings.image_size, settings.image_size), device=device)
        return PretrainingInputs(
            RawPairs(image.to(torch.uint8), ids, torch.ones_like(ids, dtype=torch.bool)),
            torch.where(selected, settings.model.text.vocab_size - 1, ids),
            torch.where(selected, ids, -100),
            torch.arange(num_pairs, device=device)[:, None].expand(-1, 2),
        )

    def fill_queue(self) -> None:
        """Random pairs in every slot, as in the steady state of training."""
        if self.objective.queue is None:
            return
        inputs = self.random_inputs(self.settings.queue_size)
        width = self.settings.model.projection_size
        embeddings = torch.randn(2, len(inputs.pairs), width, device=self.device)
        embeddings = embeddings / embeddings.norm(dim=-1, keepdim=True)
        self.objective.queue.enqueue(EmbeddedPairs(inputs.pairs, embeddings[0], embeddings[1], inputs.sample_key))

    def __call__(self) -> None:
        self.model.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.autocast):
            losses = self.objective(self.model, self.inputs, step=0).losses
        torch.autograd.backward(losses.total())


@dataclass(frozen=True, slots=True)
class FreshStep:
    """Builds a step and runs it twice; for measuring memory in a process of its own."""

    settings: StepSettings
    share_trunk: bool

    def __call__(self) -> None:
        step = TrainingStep(self.settings, share_trunk=self.share_trunk)
        step()
        step()


def benchmark_step(settings: StepSettings, *, repeats: int) -> list[Row]:
    """Shared and separate trunks in alternation, the same weights, inputs and negatives' candidates."""
    device = torch.device(settings.device)
    kinds = {"shared": True, "separate": False}
    steps = {name: TrainingStep(settings, share_trunk=share) for name, share in kinds.items()}
    flops = {name: count_flops(step) for name, step in steps.items()} if not settings.compile else {}
    timings = time_interleaved(list(steps.values()), device, repeats=repeats)
    steps.clear()
    return [
        Row(
            part="training step",
            variant=f"{name} trunks",
            timing=timing,
            samples=settings.batch_size,
            peak_bytes=peak_memory(FreshStep(settings, share), device),
            flops=flops.get(name),
            peak_flops=peak_flops(device),
        )
        for (name, share), timing in zip(kinds.items(), timings, strict=True)
    ]
