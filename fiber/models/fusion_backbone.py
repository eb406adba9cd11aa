"""Fusion in the backbone (paper section 3.1): encode once, fuse any pairs.

Axes: B batch, I images, H W map, C image width, L text tokens, T tokens with those read before, D text width.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from fiber.models.config import FusionConfig
from fiber.models.decoding_cache import DecodingCache, KeyValue
from fiber.models.roberta import RobertaEncoder, RobertaLayer, causal_mask, padding_mask
from fiber.models.swin import SwinTransformer
from fiber.models.trunks import FusedFeatures, ImageTrunk, TextTrunk


class FusionBackbone(nn.Module):
    """Swin and RoBERTa that see each other in their last layers.

    `encode_image` and `encode_text` run the layers that know one modality; `fuse` runs the rest on pairs; `pool_image`
    and `pool_text` run the rest with the gates shut, for the dual encoder. `finish_image`, `project_image` and `decode`
    write captions.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        stages = config.image.block_stages[config.first_fused_block :]
        self.image = SwinTransformer(
            config.image,
            num_fused_blocks=config.num_fusion_layers,
            text_width=config.text.hidden_size,
            query_norm=config.query_norm,
        )
        self.text = RobertaEncoder(config.text, image_widths=tuple(config.image.stage_width(stage) for stage in stages))

    def encode_image(self, pixels: Tensor, *, keep_stages: bool = False) -> ImageTrunk:
        """Image blocks below the fusion.

        Args:
            pixels: B 3 S_h S_w, normalised; sides multiples of 32.
            keep_stages: also keep the output of every finished stage, for a feature pyramid.
        """
        x = self.image.patch_embedding(pixels)
        stages: list[Tensor] = []
        for index in range(self.config.first_fused_block):
            x = self.image.blocks[index](self.enter_block(index, x, stages))
        x = self.enter_block(self.config.first_fused_block, x, stages)
        return ImageTrunk(x, tuple(stages) if keep_stages else ())

    def encode_text(self, token_ids: Tensor, mask: Tensor) -> TextTrunk:
        """Text layers below the fusion.

        Args:
            token_ids: int64 B L.
            mask: bool B L, True = real token.
        """
        x = self.text.embedding(token_ids)
        for layer in self.text.layers[: self.config.first_fused_layer]:
            x = layer(x, padding_mask(mask))
        return TextTrunk(x, mask)

    def fuse(self, image: ImageTrunk, text: TextTrunk) -> FusedFeatures:
        """The fused layers on B pairs; both sides of a step read the states from before it."""
        x, t, mask = image.state, text.state, padding_mask(text.mask)
        stages = list(image.stages)
        first, last = self.config.first_fused_block, self.config.image.num_blocks - 1
        for index, layer in enumerate(self.text.layers[self.config.first_fused_layer :], start=first):
            if index > first:
                x = self.enter_block(index, x, stages)
            final_norm = index < last or self.config.fused_text_final_norm
            x, t = (
                self.image.blocks[index](x, t, text.mask),
                layer(t, mask, x.flatten(1, 2), final_norm=final_norm),
            )
        return FusedFeatures(x, t, text.mask, (*stages, x) if image.stages else ())

    def finish_image(self, image: ImageTrunk) -> Tensor:
        """Remaining image blocks without text, and without the final norm: B H W C."""
        x, first = image.state, self.config.first_fused_block
        for index in range(first, self.config.image.num_blocks):
            x = self.image.blocks[index](self.enter_block(index, x, []) if index > first else x)
        return x

    def pool_image(self, image: ImageTrunk) -> Tensor:
        """Remaining image blocks without text, then the final norm: B H W C."""
        pooled: Tensor = self.image.norm(self.finish_image(image))
        return pooled

    def pool_text(self, text: TextTrunk) -> Tensor:
        """Remaining text layers without image, all norms on: B L D."""
        t = text.state
        for layer in self.text.layers[self.config.first_fused_layer :]:
            t = layer(t, padding_mask(text.mask))
        return t

    def project_image(self, images: Sequence[Tensor]) -> tuple[KeyValue, ...]:
        """Keys and values that the fused text layers read while decoding, computed once per image.

        Args:
            images: what each fused layer reads, I N C of the layer's own width C.
        """
        projected = []
        for layer, image in zip(self.text.layers[self.config.first_fused_layer :], images, strict=True):
            assert isinstance(layer, RobertaLayer)
            projected.append(layer.project_image(image))
        return tuple(projected)

    def decode(
        self,
        token_ids: Tensor,
        image: Sequence[KeyValue],
        *,
        mask: Tensor | None = None,
        cache: DecodingCache | None = None,
    ) -> Tensor:
        """All text layers as a decoder: every token sees those before it, and the fused layers an image.

        Args:
            token_ids: int64 B L.
            image: of I images by `project_image`, each for B / I texts in a row.
            mask: bool B T, True = real token; None where padding comes last and its outputs are not used.
            cache: of the tokens that earlier calls read; these join it.

        Returns:
            B L D, all norms on.
        """
        num_before, num_new = cache.num_tokens if cache else 0, token_ids.shape[1]
        allowed = None if num_new == 1 else causal_mask(num_new, num_before, token_ids.device)  # L T
        if mask is not None:
            allowed = padding_mask(mask) if allowed is None else padding_mask(mask) & allowed  # B 1 L T
        t: Tensor = self.text.embedding(token_ids, start=num_before)
        first = self.config.first_fused_layer
        for index, layer in enumerate(self.text.layers):
            read = image[index - first] if index >= first else None
            t = layer(t, allowed, read, cache=cache.layers[index] if cache else None)
        return t

    def enter_block(self, index: int, x: Tensor, stages: list[Tensor]) -> Tensor:
        """Input of block `index`: patch merging where a stage begins, whose predecessor's output goes to `stages`."""
        if not self.image.opens_stage(index):
            return x
        stages.append(x)
        return self.image.merge_before(index, x)
