"""Boxes for phrases and for class lists, from pixels and text.

Axes: B images, H W pixels, P prompts, L text tokens.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fiber.detection.positive_map import token_positions
from fiber.detection.postprocessing import Detections, GroundingPostProcessor, PostProcessingConfig, TokenPositions
from fiber.detection.prompt_chunks import PromptChunk
from fiber.detection.prompts import Prompt
from fiber.detection.token_budget import SPECIAL_TOKENS
from fiber.inference.arguments import batches
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.trunks import ImageTrunk, TextTrunk


class Encoding(Protocol):
    """Tokens of a text without special ones."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class OffsetTokenizer(Protocol):
    """What the predictor needs of a tokeniser."""

    pad_id: int

    def encode_batch(self, texts: Sequence[str]) -> Sequence[Encoding]: ...

    def pad(self, token_ids: Sequence[Sequence[int]], length: int) -> Tensor: ...


class EncodedPrompts(NamedTuple):
    """Texts below the fusion, for any number of images."""

    trunk: TextTrunk
    positions: tuple[TokenPositions, ...]
    """Per prompt and label, the tokens over which its score is averaged."""
    lengths: tuple[int, ...]
    """Per prompt, its tokens, special ones included."""

    def __len__(self) -> int:
        return len(self.positions)

    def select(self, places: Sequence[int]) -> "EncodedPrompts":
        """Some of them, any number of times, no longer than they need."""
        lengths = tuple(self.lengths[place] for place in places)
        index = torch.tensor(places, device=self.trunk.state.device)
        trunk = shortened(self.trunk[index], max(lengths))
        return EncodedPrompts(trunk, tuple(self.positions[place] for place in places), lengths)


class EncodedClasses(NamedTuple):
    """A class list as prompts."""

    prompts: EncodedPrompts
    classes: tuple[range, ...]
    """Per prompt, the classes of its labels."""


class Pair(NamedTuple):
    """An image and a prompt by their places."""

    image: int
    prompt: int


class GroundingPredictor:
    """Runs a detector on prompts. Images and texts are encoded once, whatever they are combined with.

    Args:
        model: in evaluation mode, on the device of the pixels.
        tokenizer: the model's.
        config: thresholds and limits.
        prompts_per_pass: prompts of one image that go through the fused layers together; speed against memory.
    """

    def __init__(
        self,
        model: GroundedDetector,
        tokenizer: OffsetTokenizer,
        config: PostProcessingConfig | None = None,
        *,
        prompts_per_pass: int = 8,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.post_processor = GroundingPostProcessor(model.config, config)
        self.prompts_per_pass = prompts_per_pass

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[Prompt]) -> EncodedPrompts:
        """Text trunks of prompts; what does not fit the model's text budget is cut and never found."""
        budget = self.model.config.text_budget
        encodings = self.tokenizer.encode_batch([prompt.text for prompt in prompts])
        lengths = tuple(min(budget, len(encoding.ids) + SPECIAL_TOKENS) for encoding in encodings)
        ids = self.tokenizer.pad([encoding.ids for encoding in encodings], max(lengths)).to(self.device)
        positions = tuple(
            token_positions(prompt.spans, encoding.offsets[: budget - SPECIAL_TOKENS])
            for prompt, encoding in zip(prompts, encodings, strict=True)
        )
        return EncodedPrompts(self.model.encode_text(ids, ids != self.tokenizer.pad_id), positions, lengths)

    def encode_classes(self, chunks: Sequence[PromptChunk]) -> EncodedClasses:
        """Text trunks of a class list."""
        prompts = self.encode_prompts([chunk.prompt for chunk in chunks])
        return EncodedClasses(prompts, tuple(chunk.classes for chunk in chunks))

    @torch.no_grad()
    def ground(self, pixels: Tensor, sizes: Sequence[tuple[int, int]], prompts: Sequence[Prompt]) -> list[Detections]:
        """Each image with its own prompt.

        Args:
            pixels: B 3 H W, normalised, padding 0.
            sizes: height and width of each image without padding.
            prompts: one per image.

        Returns:
            Per image, detections in pixels of the network's input; labels are the prompt's.
        """
        encoded = self.encode_prompts(prompts)
        output = self.model.detect(self.model.encode_image(pixels), encoded.trunk)
        return self.post_processor(output, sizes, encoded.positions)

    @torch.no_grad()
    def detect(self, pixels: Tensor, sizes: Sequence[tuple[int, int]], classes: EncodedClasses) -> list[Detections]:
        """Every image with all prompts of a class list.

        Returns:
            Per image, detections in pixels of the network's input; labels are places in the class list. Prompts do not
            compete: each contributes up to the limit of detections.
        """
        image = self.model.encode_image(pixels)
        found: list[list[Detections]] = [[] for _ in sizes]
        for some in self.passes(classes):
            text, positions = classes.prompts.trunk[some], classes.prompts.positions[some]
            text = shortened(text, max(classes.prompts.lengths[some]))
            output = self.model.detect(*all_pairs(image, text))
            per_pair = iter(
                self.post_processor(output, [size for size in sizes for _ in positions], positions * len(sizes))
            )
            for parts in found:
                for labels in classes.classes[some]:
                    one = next(per_pair)
                    parts.append(one._replace(labels=one.labels + labels.start))
        return [joined(parts) for parts in found]

    @torch.no_grad()
    def encode_image(self, pixels: Tensor) -> ImageTrunk:
        """Images below the fusion, on the device of the model: B 3 H W, normalised, padding 0."""
        return self.model.encode_image(pixels)

    @torch.no_grad()
    def find(
        self, image: ImageTrunk, sizes: Sequence[tuple[int, int]], prompts: EncodedPrompts, pairs: Sequence[Pair]
    ) -> list[Detections]:
        """Encoded images with encoded prompts, pair by pair.

        Args:
            image: B images of one padded size.
            sizes: height and width of each without padding.
            prompts: any number.
            pairs: that go through the fused layers together.

        Returns:
            Per pair, detections in pixels of the network's input; labels are the prompt's.
        """
        rows = [pair.image for pair in pairs]
        text = prompts.select([pair.prompt for pair in pairs])
        output = self.model.detect(repeated(image, rows), text.trunk)
        return self.post_processor(output, [sizes[row] for row in rows], text.positions)

    def passes(self, classes: EncodedClasses) -> Iterator[slice]:
        """Prompts that go through the fused layers together, however many images there are: processes that share a
        model's parts must take as many steps as each other."""
        return batches(len(classes.prompts), self.prompts_per_pass)


def shortened(text: TextTrunk, length: int) -> TextTrunk:
    """Texts without padding that none of them needs; the result is the same."""
    return text.map(lambda tensor: tensor[:, :length])


def repeated(image: ImageTrunk, rows: Sequence[int]) -> ImageTrunk:
    """Images by their places; one alone is not copied."""
    if len(set(rows)) == 1:
        return image[rows[0] : rows[0] + 1].map(lambda tensor: tensor.expand(len(rows), *tensor.shape[1:]))
    return image[torch.tensor(rows, device=image.state.device)]


def joined_prompts(parts: Sequence[EncodedPrompts]) -> EncodedPrompts:
    """Prompts of several passes, all as long as the longest."""
    longest = max(part.trunk.state.shape[1] for part in parts)

    def padded(tensor: Tensor) -> Tensor:
        padding = tensor.new_zeros(tensor.shape[0], longest - tensor.shape[1], *tensor.shape[2:])
        return torch.cat([tensor, padding], dim=1)

    return EncodedPrompts(
        TextTrunk.concatenate([part.trunk.map(padded) for part in parts]),
        tuple(positions for part in parts for positions in part.positions),
        tuple(length for part in parts for length in part.lengths),
    )


def all_pairs(image: ImageTrunk, text: TextTrunk) -> tuple[ImageTrunk, TextTrunk]:
    """Every image with every text, image by image; one image is not copied."""
    num_images, num_texts = len(image), len(text)
    if num_images == 1:
        return image.map(lambda tensor: tensor.expand(num_texts, *tensor.shape[1:])), text
    if num_texts > 1:
        image = image.map(lambda tensor: tensor.repeat_interleave(num_texts, dim=0))
    return image, text.map(lambda tensor: tensor.repeat(num_images, *(1 for _ in tensor.shape[1:])))


def joined(parts: Sequence[Detections]) -> Detections:
    """Detections of several prompts, best first."""
    boxes, scores, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    order = scores.argsort(descending=True, stable=True)
    return Detections(boxes[order], scores[order], labels[order])
