"""Images of any size with texts and boxes to batches.

Axes: B images, H W pixels, K boxes, L text tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fiber.data.defects import Defect, DefectKind
from fiber.data.grounding_batch import EvaluationBatch, EvaluationSample, GroundingBatch, GroundingSample
from fiber.data.tokenization import TextTokenizer
from fiber.data.transforms import STRIDE
from fiber.detection.positive_map import positive_map

LENGTH_MULTIPLE = 8
"""Of padded text lengths, so that few different ones occur."""


class GroundingCollator:
    """Tokenises texts, maps boxes to their tokens, and pads images and texts to the batch's largest.

    Args:
        tokenizer: of the texts.
        text_budget: tokens per text at most, special ones included.
    """

    def __init__(self, tokenizer: TextTokenizer, *, text_budget: int) -> None:
        self.tokenizer = tokenizer
        self.text_budget = text_budget

    def __call__(self, samples: Sequence[GroundingSample]) -> GroundingBatch:
        encodings = self.tokenizer.encode_batch([sample.text for sample in samples])
        room = self.text_budget - 2
        length = padded_length(max(len(encoding.ids) for encoding in encodings) + 2, self.text_budget)
        text = self.tokenizer.pad([encoding.ids for encoding in encodings], length)
        maps = [
            positive_map(sample.spans, encoding.offsets[:room], length=length)
            for sample, encoding in zip(samples, encodings, strict=True)
        ]
        cut = (
            Defect(DefectKind.CAPTION_CUT, sample.location)
            for sample, encoding in zip(samples, encodings, strict=True)
            if len(encoding.ids) > room
        )
        return GroundingBatch(
            image=pad_images([sample.image for sample in samples]),
            sizes=image_sizes([sample.image for sample in samples]),
            text_ids=text,
            text_mask=text != self.tokenizer.pad_id,
            boxes=torch.cat([sample.boxes for sample in samples]),
            positive_map=torch.cat(maps),
            num_boxes=tuple(len(sample.boxes) for sample in samples),
            broken=tuple(location for sample in samples for location in sample.broken),
            defects=(*(defect for sample in samples for defect in sample.defects), *cut),
        )


def collate_evaluation(samples: Sequence[EvaluationSample]) -> EvaluationBatch:
    """Images padded to the batch's largest; texts are left to the predictor."""
    return EvaluationBatch(
        image=pad_images([sample.image for sample in samples]),
        sizes=image_sizes([sample.image for sample in samples]),
        original_sizes=tuple(sample.original_size for sample in samples),
        prompts=tuple(sample.prompt for sample in samples),
        truths=tuple(sample.truths for sample in samples),
        image_index=tuple(sample.image_index for sample in samples),
    )


def padded_length(longest: int, budget: int) -> int:
    """Text length of a batch whose longest text has `longest` tokens."""
    return min(budget, -(-longest // LENGTH_MULTIPLE) * LENGTH_MULTIPLE)


def image_sizes(images: Sequence[Tensor]) -> Tensor:
    """int64 B 2, height and width."""
    return torch.tensor([image.shape[1:] for image in images])


def pad_images(images: Sequence[Tensor]) -> Tensor:
    """uint8 3 H W each -> B 3 H W, zeros on the right and at the bottom up to multiples of 32."""
    height, width = (max(image.shape[axis] for image in images) for axis in (1, 2))
    padded = images[0].new_zeros(len(images), 3, height + -height % STRIDE, width + -width % STRIDE)
    for row, image in zip(padded, images, strict=True):
        row[:, : image.shape[1], : image.shape[2]] = image
    return padded
