"""One image against a long class list: trunks encoded once, or anew for every prompt as the original does.

Axes: S_h S_w pixels, L text tokens.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fiber.benchmarks.class_names import random_class_names
from fiber.benchmarks.detection_agreement import Agreement, compare_detections
from fiber.benchmarks.fine_setting import FineSettings, build_detector, let_it_find, random_batch
from fiber.benchmarks.report import Row
from fiber.benchmarks.timing import time_interleaved
from fiber.data.tokenization import train_tokenizer
from fiber.detection.postprocessing import Detections
from fiber.detection.prompt_chunks import PromptChunk, chunk_classes
from fiber.inference.grounding_predictor import GroundingPredictor, joined

LARGEST_VOCABULARY = 2000
"""Of the tokeniser: a prompt of 40 names then has some 200 tokens, as those of LVIS have with RoBERTa's."""


class ChunkedDetection:
    """Detections of one image for all classes, in several ways that differ in time alone."""

    def __init__(self, settings: FineSettings, *, num_classes: int, classes_per_prompt: int) -> None:
        self.settings = settings
        model = build_detector(settings).eval()
        batch = random_batch(settings, batch_size=1)
        let_it_find(model, batch)
        self.pixels = batch.pixels
        names = random_class_names(num_classes)
        vocabulary = min(LARGEST_VOCABULARY, settings.detector.backbone.text.vocab_size)
        tokenizer = train_tokenizer(names, vocabulary)
        self.budget = settings.detector.text_budget
        self.chunks: Sequence[PromptChunk] = chunk_classes(
            names, count_tokens=tokenizer.count, token_budget=self.budget, max_classes=classes_per_prompt
        )
        self.predictor = GroundingPredictor(model, tokenizer)
        self.classes = self.predictor.encode_classes(self.chunks)
        encodings = tokenizer.encode_batch([chunk.prompt.text for chunk in self.chunks])
        self.token_ids = [
            tokenizer.pad([encoding.ids], chunk.num_tokens).to(settings.device)
            for encoding, chunk in zip(encodings, self.chunks, strict=True)
        ]

    def cached(self) -> Detections:
        """Both trunks encoded once; the texts' before, as for every image but the first."""
        return self.predictor.detect(self.pixels, [self.settings.size], self.classes)[0]

    def cached_with_texts(self) -> Detections:
        """Both trunks encoded once, here."""
        classes = self.predictor.encode_classes(self.chunks)
        return self.predictor.detect(self.pixels, [self.settings.size], classes)[0]

    def anew(self) -> Detections:
        """Everything anew for every prompt."""
        return self.whole_passes(self.token_ids)

    def anew_padded(self) -> Detections:
        """Everything anew for every prompt, which is padded to the budget."""
        pad = self.predictor.tokenizer.pad_id
        longest = [torch.nn.functional.pad(ids, (0, self.budget - ids.shape[1]), value=pad) for ids in self.token_ids]
        return self.whole_passes(longest)

    @torch.no_grad()
    def whole_passes(self, token_ids: Sequence[Tensor]) -> Detections:
        """One forward pass from pixels and tokens per prompt."""
        parts = []
        positions = self.classes.prompts.positions
        for ids, labels, chunk in zip(token_ids, positions, self.chunks, strict=True):
            output = self.predictor.model(self.pixels, ids, ids != self.predictor.tokenizer.pad_id)
            [found] = self.predictor.post_processor(output, [self.settings.size], [labels])
            parts.append(found._replace(labels=found.labels + chunk.classes.start))
        return joined(parts)

    def ways(self) -> dict[str, Callable[[], Detections]]:
        """By name, the reference last."""
        return {
            "trunks cached": self.cached,
            "trunks cached, texts encoded as well": self.cached_with_texts,
            f"encoded anew, padded to {self.budget} tokens": self.anew_padded,
            "encoded anew": self.anew,
        }


def benchmark_chunks(
    settings: FineSettings, *, num_classes: int, classes_per_prompt: int, repeats: int, warmup: int
) -> tuple[list[Row], dict[str, Agreement]]:
    """Time of every way, and how far its detections agree with those of passes anew."""
    device = torch.device(settings.device)
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.autocast):
        detection = ChunkedDetection(settings, num_classes=num_classes, classes_per_prompt=classes_per_prompt)
        ways, found = detection.ways(), dict[str, Detections]()

        def keeping(name: str) -> Callable[[], None]:
            return lambda: found.__setitem__(name, ways[name]())

        timings = time_interleaved([keeping(name) for name in ways], device, repeats=repeats, warmup=warmup)
    reference = found[list(ways)[-1]]
    agreement = {name: compare_detections(one, reference) for name, one in found.items()}
    part = f"{len(detection.chunks)} prompts"
    return [
        Row(part=part, variant=name, timing=timing, image_size=settings.image_size, samples=1)
        for name, timing in zip(ways, timings, strict=True)
    ], agreement
