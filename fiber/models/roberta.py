"""RoBERTa encoder whose last layers can attend to an image, and which can write a text token by token.

Axes: B batch, I images, L text tokens, T tokens with those read before, D text width, N image tokens, C image width.
"""

import torch
from torch import Tensor, nn

from fiber.models.attention import attend, merge_heads, split_heads
from fiber.models.config import RobertaConfig
from fiber.models.decoding_cache import KeyValue, LayerCache
from fiber.models.gated_cross_attention import GatedCrossAttention


def position_ids(token_ids: Tensor, pad_id: int, *, start: int = 0) -> Tensor:
    """RoBERTa's positions, B L -> B L.

    The first real token is `pad_id` + 1, or follows `start` tokens before; padding stays at `pad_id`.
    """
    real = (token_ids != pad_id).long()
    return (real.cumsum(dim=1) + start) * real + pad_id


class RobertaEmbedding(nn.Module):
    """Word + position + token-type embedding, normalised."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        self.pad_id = config.pad_id
        self.word = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position = nn.Embedding(config.max_positions, config.hidden_size)
        self.token_type = nn.Embedding(1, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, token_ids: Tensor, *, start: int = 0) -> Tensor:
        """int64 B L -> B L D; `start` tokens came before."""
        positions = position_ids(token_ids, self.pad_id, start=start)
        embedded = self.word(token_ids) + self.position(positions) + self.token_type.weight
        output: Tensor = self.dropout(self.norm(embedded))
        return output


class SelfAttention(nn.Module):
    """Multi-head self-attention with output projection and dropout."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size)
        self.output_dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None, cache: LayerCache | None = None) -> Tensor:
        """
        Args:
            x: B L D.
            mask: bool, broadcastable to B h L T, True = attend; None attends to all.
            cache: of the tokens before; these L tokens join it.

        Returns:
            B L D.
        """
        query, key, value = (split_heads(part, self.num_heads) for part in self.qkv(x).chunk(3, dim=-1))
        if cache is not None:
            key, value = cache.extend(KeyValue(key, value))
        attended = attend(query, key, value, mask=mask, dropout=self.dropout if self.training else 0.0)
        output: Tensor = self.output_dropout(self.output(merge_heads(attended)))
        return output


class RobertaLayer(nn.Module):
    """Post-norm transformer layer; a fused layer adds gated attention to the image before the residual."""

    def __init__(self, config: RobertaConfig, *, cross: GatedCrossAttention | None = None) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.cross_attention = cross
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = nn.Sequential(
            nn.Linear(config.hidden_size, config.intermediate_size),
            nn.GELU(),
            nn.Linear(config.intermediate_size, config.hidden_size),
            nn.Dropout(config.dropout),
        )
        self.output_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        image: Tensor | KeyValue | None = None,
        *,
        cache: LayerCache | None = None,
        final_norm: bool = True,
    ) -> Tensor:
        """
        Args:
            x: B L D.
            mask: bool, broadcastable to B h L T, True = attend; None attends to all.
            image: I N C, or its keys and values, each image for B / I texts in a row; None leaves the
                cross-attention out.
            cache: of the tokens before; these L tokens join it.
            final_norm: whether to end with the output LayerNorm.

        Returns:
            B L D.
        """
        attended = self.attention(x, mask, cache)
        if image is not None:
            attended = attended + self.attend_image(attended, image)
        x = self.attention_norm(x + attended)
        x = x + self.mlp(x)
        return self.output_norm(x) if final_norm else x

    def project_image(self, image: Tensor) -> KeyValue:
        """Keys and values of images, for as many texts and tokens as read them: I N C."""
        assert self.cross_attention is not None, "this layer is not fused"
        return self.cross_attention.project_context(image)

    def attend_image(self, attended: Tensor, image: Tensor | KeyValue) -> Tensor:
        assert self.cross_attention is not None, "this layer is not fused"
        num_images = image.batch_size if isinstance(image, KeyValue) else image.shape[0]
        # No mask and no position tells the texts of an image apart: their tokens are queries of one attention, and the
        # image is not repeated.
        queries = attended.reshape(num_images, -1, attended.shape[-1])  # I B/I*L D
        gated: Tensor = self.cross_attention(queries, image)
        return gated.view_as(attended)


class RobertaEncoder(nn.Module):
    """Embedding and layers; `image_widths[k]` is the width of the image that the k-th fused layer reads."""

    def __init__(self, config: RobertaConfig, *, image_widths: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.config = config
        self.embedding = RobertaEmbedding(config)
        num_plain = config.num_layers - len(image_widths)
        self.layers = nn.ModuleList(RobertaLayer(config) for _ in range(num_plain))
        for width in image_widths:
            cross = GatedCrossAttention(
                config.hidden_size, context_width=width, num_heads=config.num_heads, dropout=config.dropout
            )
            self.layers.append(RobertaLayer(config, cross=cross))

    def forward(self, token_ids: Tensor, mask: Tensor) -> Tensor:
        """Plain RoBERTa: int64 B L, bool B L -> B L D."""
        x = self.embedding(token_ids)
        for layer in self.layers:
            x = layer(x, padding_mask(mask))
        assert isinstance(x, torch.Tensor)
        return x


def padding_mask(mask: Tensor) -> Tensor:
    """bool B L -> B 1 1 L, so that every query sees the real keys."""
    return mask[:, None, None, :]


def causal_mask(num_new: int, num_before: int, device: torch.device) -> Tensor:
    """bool L T: each of `num_new` tokens sees itself and all before it, `num_before` of earlier calls among them."""
    allowed = torch.ones(num_new, num_before + num_new, dtype=torch.bool, device=device)
    return allowed.tril(num_before)
