"""One training step of coarse pre-training, with shared and with separate trunks.

Axes: B pairs, S image side, L text tokens.
"""

from dataclasses import dataclass, replace

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

    def __init__(self, settings: StepSettings, *, share_trunk: bool, model: FiberForPretraining | None = None) -> None:
        torch.manual_seed(0)
        self.settings = settings
        self.device = torch.device(settings.device)
        self.model = model or build_model(settings)
        config = PretrainingObjectiveConfig(queue_size=settings.queue_size, share_trunk=share_trunk)
        self.objective = PretrainingObjective(config, normalize=normalize_pixels)
        self.inputs = self.random_inputs(settings.batch_size)
        self.fill_queue()

    def random_inputs(self, num_pairs: int) -> PretrainingInputs:
        settings, device = self.settings, self.device
        ids = torch.randint(4, settings.model.text.vocab_size - 1, (num_pairs, settings.text_length), device=device)
        selected = torch.rand(ids.shape, device=device) < 0.15
        shape = (num_pairs, 3, settings.image_size, settings.image_size)
        image = torch.randint(0, 256, shape, device=device, dtype=torch.uint8)
        return PretrainingInputs(
            RawPairs(image, ids, torch.ones_like(ids, dtype=torch.bool)),
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


def build_model(settings: StepSettings) -> FiberForPretraining:
    """A model of random weights on the device."""
    model = FiberForPretraining(settings.model).to(settings.device)
    if settings.compile:
        compile_backbone(model.backbone)
    return model


def benchmark_step(settings: StepSettings, *, repeats: int, warmup: int) -> list[Row]:
    """Shared and separate trunks in alternation, on the same weights, inputs and candidates for negatives."""
    device = torch.device(settings.device)
    kinds = {"shared": True, "separate": False}
    peaks = [peak_memory(FreshStep(settings, share), device) for share in kinds.values()]
    eager = build_model(replace(settings, compile=False))
    flops = [count_flops(TrainingStep(settings, share_trunk=share, model=eager)) for share in kinds.values()]
    model = build_model(settings) if settings.compile else eager
    steps = [TrainingStep(settings, share_trunk=share, model=model) for share in kinds.values()]
    timings = time_interleaved(steps, device, repeats=repeats, warmup=warmup)
    return [
        Row(
            part="training step",
            variant=f"{name} trunks",
            timing=timing,
            image_size=str(settings.image_size),
            samples=settings.batch_size,
            queue_size=settings.queue_size,
            peak_bytes=peak,
            flops=operations,
            peak_flops=peak_flops(device),
        )
        for name, timing, peak, operations in zip(kinds, timings, peaks, flops, strict=True)
    ]
