"""What the predictors of the coarse stage share. Axes: B pairs of a pass, K all pairs."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from fiber.inference.coarse_input import CoarseInput, EncodedImages, Images, list_images
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.trunks import ImageTrunk, TextTrunk
from fiber.utils.errors import UserError


class CoarsePredictor:
    """Encodes pictures and texts once each, whatever they are combined with.

    Args:
        backbone: of a model in evaluation mode.
        inputs: how pictures and texts are prepared for it.
        batch_size: pictures, texts or pairs that go through the model together; speed against memory.

    Raises:
        UserError: `batch_size` is below 1.
    """

    def __init__(self, backbone: FusionBackbone, inputs: CoarseInput, *, batch_size: int = 16) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size}: give 1 or more.")
        self.backbone = backbone
        self.inputs = inputs
        self.batch_size = batch_size

    @torch.no_grad()
    def encode_images(self, images: Images, *, name: str = "images") -> EncodedImages:
        """Pictures to ask about again and again: image blocks below the fusion run here, and not again.

        Args:
            images: one picture, several, or encoded ones, which stay as they are.
            name: of the caller's argument, for messages.

        Raises:
            UserError: there is no picture, or something else is among them.
        """
        if isinstance(images, EncodedImages):
            return images
        pictures = list_images(images, name)
        parts = [self.backbone.encode_image(self.inputs.pixels(pictures[rows])) for rows in self.batches(len(pictures))]
        return EncodedImages(pictures, ImageTrunk.concatenate(parts))

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> TextTrunk:
        """Texts below the fusion, one at least."""
        text = self.inputs.texts(texts)
        parts = [self.backbone.encode_text(text.ids[rows], text.mask[rows]) for rows in self.batches(len(texts))]
        return TextTrunk.concatenate(parts)

    @torch.no_grad()
    def fuse(
        self,
        image: ImageTrunk,
        text: TextTrunk,
        pairs: Sequence[tuple[int, ...]],
        head: Callable[[ImageTrunk, TextTrunk], Tensor],
    ) -> Tensor:
        """What a model says of K pairs.

        Args:
            image: pictures.
            text: texts.
            pairs: place of a picture and of a text.
            head: fuses B pairs, and says something of each: B ...

        Returns:
            K ..., on the CPU.
        """
        parts = []
        for rows in self.batches(len(pairs)):
            images, texts = torch.tensor(pairs[rows], device=self.inputs.device).unbind(1)
            parts.append(head(image[images], text[texts]).cpu())
        return torch.cat(parts)

    def batches(self, num_rows: int) -> Iterator[slice]:
        """Rows that go through the model together."""
        for start in range(0, num_rows, self.batch_size):
            yield slice(start, start + self.batch_size)


def aligned(**counts: int) -> list[tuple[int, ...]]:
    """What belongs to each of K questions: for every kind of thing its place, which is 0 throughout if there is one.

    Args:
        counts: how many there are of each kind, 1 or K.

    Raises:
        UserError: the numbers do not go together.
    """
    total = max(counts.values())
    if any(count not in (1, total) for count in counts.values()):
        given = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise UserError(f"{given}: give one for all, or as many of each.")
    return [tuple(place if count == total else 0 for count in counts.values()) for place in range(total)]
