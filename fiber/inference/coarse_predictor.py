"""What the predictors of the coarse stage share. Axes: B pairs of a pass, K all pairs."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fiber.inference.arguments import batches, list_images, require_count, require_encoder
from fiber.inference.coarse_input import CoarseInput, EncodedImages, Images
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.trunks import ImageTrunk, TextTrunk


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
        self.backbone = backbone
        self.inputs = inputs
        self.batch_size = require_count(batch_size, "batch_size")

    @torch.no_grad()
    def encode_images(self, images: Images, *, name: str = "images") -> EncodedImages:
        """Pictures to ask about again and again: image blocks below the fusion run here, and not again.

        Args:
            images: one picture, several, or encoded ones, which stay as they are.
            name: of the caller's argument, for messages.

        Raises:
            UserError: there is no picture, something else is among them, or another model has encoded them.
        """
        if isinstance(images, EncodedImages):
            require_encoder(images.encoder, self.backbone, name)
            return images
        rgb = list_images(images, name)
        parts = [
            self.backbone.encode_image(self.inputs.pixels(rgb[rows])) for rows in batches(len(rgb), self.batch_size)
        ]
        return EncodedImages(rgb, ImageTrunk.concatenate(parts), self.backbone)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> TextTrunk:
        """Texts below the fusion, one at least."""
        text = self.inputs.texts(texts)
        parts = [
            self.backbone.encode_text(text.ids[rows], text.mask[rows]) for rows in batches(len(texts), self.batch_size)
        ]
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
        for rows in batches(len(pairs), self.batch_size):
            images, texts = torch.tensor(pairs[rows], device=self.inputs.device).unbind(1)
            parts.append(head(image[images], text[texts]).cpu())
        return torch.cat(parts)
