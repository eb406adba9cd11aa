"""FIBER as an encoder-decoder that writes captions (paper section 3.3).

Axes: B texts, I images, H W map, C image width, L text tokens, V vocabulary.
"""

from torch import Tensor, nn

from fiber.models.config import FusionConfig
from fiber.models.decoding_cache import DecodingCache, KeyValue
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.heads import CrossModalHead, MaskedLanguageModelingHead
from fiber.models.initialization import initialize
from fiber.models.trunks import ImageTrunk

ImageMemory = tuple[KeyValue, ...]
"""Keys and values of I images, for each fused text layer."""


class ImageAdapters(nn.Module):
    """Finished images in the widths that the fused text layers read.

    In pre-training the lower ones read an earlier, narrower stage of the image. Here all read its end, those through a
    linear layer each.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.num_layers = config.num_fusion_layers
        self.layers = nn.ModuleList(nn.Linear(config.image.output_width, width) for width in narrow_widths(config))

    def forward(self, image: Tensor) -> list[Tensor]:
        """I H W C -> I H*W C_l for every fused text layer l."""
        tokens = image.flatten(1, 2)
        narrow = [adapter(tokens) for adapter in self.layers]
        return [*narrow, *[tokens] * (self.num_layers - len(narrow))]


class FiberForCaptioning(nn.Module):
    """Swin without text as encoder, causal RoBERTa with cross-attention as decoder, token logits on top."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = FusionBackbone(config)
        self.image_adapters = ImageAdapters(config)
        self.cross_modal_head = CrossModalHead(config)
        self.masked_language_modeling_head = MaskedLanguageModelingHead(config)
        initialize(self, config.initializer_std)

    @property
    def max_length(self) -> int:
        """Tokens of the longest caption that the text positions have room for, special ones included."""
        return self.config.text.max_positions - self.config.text.pad_id - 1

    def idle_modules(self) -> tuple[nn.Module, ...]:
        """Parts that captions do not pass through; they are kept for the tasks that do, and learn nothing here."""
        image, head = self.backbone.image, self.cross_modal_head
        cross = (module for module in image.modules() if isinstance(module, GatedCrossAttention))
        return (*cross, image.norm, head.image_projection, head.image_pooler, head.text_pooler)

    def read_image(self, pixels: Tensor) -> ImageMemory:
        """Everything that captions need of images, computed once: I 3 S S, normalised."""
        return self.read_trunk(self.backbone.encode_image(pixels))

    def read_trunk(self, image: ImageTrunk) -> ImageMemory:
        """The same of I images that were encoded before."""
        return self.backbone.project_image(self.image_adapters(self.backbone.finish_image(image)))

    def token_logits(
        self, token_ids: Tensor, image: ImageMemory, *, mask: Tensor | None = None, cache: DecodingCache | None = None
    ) -> Tensor:
        """Logits of the token after each one; arguments as of `FusionBackbone.decode`: int64 B L -> B L V."""
        text = self.backbone.decode(token_ids, image, mask=mask, cache=cache)
        logits: Tensor = self.masked_language_modeling_head(self.cross_modal_head.project_text(text))
        return logits


def narrow_widths(config: FusionConfig) -> list[int]:
    """Widths of the image that fused text layers read, lowest layer first, where it is not the last stage's."""
    stages = config.image.block_stages[config.first_fused_block :]
    return [config.image.stage_width(stage) for stage in stages if stage < config.image.block_stages[-1]]
