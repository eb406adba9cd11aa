"""FIBER that chooses the answer to a question. Axes: B questions, S image side, L text tokens, A answers."""

import math

from torch import Tensor, nn

from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.heads import ClassificationHead, CrossModalHead
from fiber.models.initialization import initialize
from fiber.models.trunks import ImageTrunk, TextTrunk


class FiberForQuestionAnswering(nn.Module):
    """Fused backbone with a classifier over a vocabulary of answers.

    Args:
        config: sizes.
        num_answers: size of the vocabulary.
    """

    def __init__(self, config: FusionConfig, *, num_answers: int) -> None:
        super().__init__()
        self.config = config
        self.backbone = FusionBackbone(config)
        self.cross_modal_head = CrossModalHead(config)
        width = 2 * config.projection_size
        self.classifier = ClassificationHead(width, hidden=width, num_classes=num_answers)
        initialize(self, config.initializer_std)
        # Every answer starts as probable as any other: learning that most are wrong would cost the first hundreds of
        # steps, and what pre-training left in the pooled features.
        nn.init.constant_(self.classifier.output.bias, -math.log(max(1, num_answers - 1)))

    def forward(self, pixels: Tensor, token_ids: Tensor, mask: Tensor) -> Tensor:
        """Logits of every answer, B A.

        Args:
            pixels: B 3 S S, normalised.
            token_ids: int64 B L.
            mask: bool B L, True = real token.
        """
        return self.answer(self.backbone.encode_image(pixels), self.backbone.encode_text(token_ids, mask))

    def answer(self, image: ImageTrunk, question: TextTrunk) -> Tensor:
        """Logits of every answer for pairs of an image and a question that were encoded before, B A."""
        logits: Tensor = self.classifier(self.cross_modal_head(self.backbone.fuse(image, question)).pooled)
        return logits
