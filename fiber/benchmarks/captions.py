"""Beam search with cached keys and values, or reading every caption anew at every step as the original does.

Axes: I images, K beams, H W map, C image width, t tokens so far, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fiber.benchmarks.report import Row
from fiber.benchmarks.timing import time_interleaved
from fiber.generation.beam_search import BeamSearchConfig, beam_search
from fiber.generation.caption_decoder import CaptionDecoder, NextToken
from fiber.generation.captions import GeneratedCaptions
from fiber.generation.vocabulary import CaptionVocabulary
from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig
from fiber.models.gated_cross_attention import GatedCrossAttention


@dataclass(frozen=True, kw_only=True)
class CaptionSettings:
    """What is written, and where."""

    model: FusionConfig
    image_size: int
    """Pixels."""
    batch_size: int
    """Images."""
    num_beams: int
    num_tokens: int
    """Of every caption; none ends earlier."""
    buffer_length: int
    """Tokens of the buffer that is decoded as a whole where nothing is cached, `<s>` included."""
    device: str
    autocast: bool
    """Whether to run in bfloat16."""


class BufferDecoder:
    """A buffer for the longest caption is decoded as a whole at every step, the image's projections included.

    Args:
        model: in evaluation mode.
        image: finished, I H W C; repeated for every beam.
        length: tokens of the buffer.
    """

    def __init__(self, model: FiberForCaptioning, image: Tensor, *, length: int) -> None:
        self.model = model
        self.image = image
        self.num_images = len(image)
        self.device = image.device
        self.pad_id = model.config.text.pad_id
        self.buffer = torch.empty(self.num_images, 0, length, dtype=torch.long, device=image.device)  # I K T
        self.num_tokens = 0

    def step(self, tokens: Tensor) -> Tensor:
        if self.num_tokens == 0:
            shape = (*tokens.shape, self.buffer.shape[2])
            self.buffer = torch.full(shape, self.pad_id, device=self.device)
        self.buffer[..., self.num_tokens] = tokens
        self.num_tokens += 1
        repeated = self.image.repeat_interleave(tokens.shape[1], dim=0)
        memory = self.model.backbone.project_image(self.model.image_adapters(repeated))
        logits = self.model.token_logits(self.buffer.flatten(0, 1), memory)  # I*K T V
        return logits[:, self.num_tokens - 1].view(*tokens.shape, -1)

    def select(self, captions: Tensor) -> None:
        self.buffer = torch.stack([beams[index] for beams, index in zip(self.buffer, captions, strict=True)])


class CaptionSearch:
    """The same search over the same images, in ways that differ in time alone."""

    def __init__(self, settings: CaptionSettings) -> None:
        self.settings = settings
        torch.manual_seed(0)
        self.model = FiberForCaptioning(settings.model).to(settings.device).eval()
        for module in self.model.modules():
            if isinstance(module, GatedCrossAttention):
                torch.nn.init.constant_(module.gate, 0.5)  # so that captions depend on the image
        pixels = torch.randn(settings.batch_size, 3, settings.image_size, settings.image_size, device=settings.device)
        backbone = self.model.backbone
        self.image = backbone.finish_image(backbone.encode_image(pixels))  # I H W C
        text = settings.model.text
        self.vocabulary = CaptionVocabulary(bos_id=0, pad_id=text.pad_id, eos_id=2, mask_id=text.vocab_size - 1)

    def search(self, decoder: NextToken) -> GeneratedCaptions:
        length = self.settings.num_tokens
        config = BeamSearchConfig(num_beams=self.settings.num_beams, max_tokens=length, min_tokens=length)
        return beam_search(decoder, self.vocabulary, config)

    def cached(self) -> GeneratedCaptions:
        """Every token is read once, the image projected once, here."""
        memory = self.model.backbone.project_image(self.model.image_adapters(self.image))
        return self.search(CaptionDecoder(self.model, memory))

    def anew(self) -> GeneratedCaptions:
        """All of a buffer at every step."""
        return self.search(BufferDecoder(self.model, self.image, length=self.settings.buffer_length))


@torch.inference_mode()
def benchmark_captions(settings: CaptionSettings, *, repeats: int, warmup: int) -> tuple[list[Row], int]:
    """Time of either way, and the number of images for which both write the same caption."""
    device = torch.device(settings.device)
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.autocast):
        search = CaptionSearch(settings)
        found: dict[str, GeneratedCaptions] = {}
        ways: dict[str, Callable[[], GeneratedCaptions]] = {
            "cached": search.cached,
            f"anew at every step, buffer of {settings.buffer_length}": search.anew,
        }

        def keeping(name: str) -> Callable[[], None]:
            return lambda: found.__setitem__(name, ways[name]())

        timings = time_interleaved([keeping(name) for name in ways], device, repeats=repeats, warmup=warmup)
    cached, anew = (found[name].tokens for name in ways)
    rows = [
        Row(
            part=f"beam search, {settings.num_beams} beams, {settings.num_tokens} tokens",
            variant=name,
            timing=timing,
            image_size=str(settings.image_size),
            samples=settings.batch_size,
        )
        for name, timing in zip(ways, timings, strict=True)
    ]
    return rows, int((cached == anew).all(dim=-1).sum())
