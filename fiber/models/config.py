"""Sizes of the fused backbone, and the presets by which they are known."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from fiber.utils.errors import UserError
from fiber.utils.ranges import check_counts, check_positive, check_shares


@dataclass(frozen=True, kw_only=True)
class SwinConfig:
    """Swin Transformer (Liu et al. 2021). Defaults: Swin-B as FIBER uses it."""

    embed_dim: int = 128
    """Channels of the first stage; each later stage doubles them."""
    depths: Sequence[int] = (2, 2, 18, 2)
    num_heads: Sequence[int] = (4, 8, 16, 32)
    window_size: int = 12
    """Side of an attention window in tokens."""
    patch_size: int = 4
    """Side of a patch in pixels."""
    mlp_ratio: float = 4.0
    drop_path: float = 0.1
    """Stochastic depth of the last block; linear from 0 at the first."""
    shrink_window: bool = True
    """True (coarse stage): a map no larger than the window is one window of its own size and is not shifted. False
    (fine stage): it is zero-padded to the window, and odd blocks shift all the same."""

    def __post_init__(self) -> None:
        check_counts(self, "model.image.", "embed_dim", "depths", "num_heads", "window_size", "patch_size")
        check_positive(self, "model.image.", "mlp_ratio")
        check_shares(self, "model.image.", "drop_path")
        if len(self.depths) != len(self.num_heads):
            raise UserError(f"model.image: depths has {len(self.depths)} stages, num_heads {len(self.num_heads)}.")
        for stage, heads in enumerate(self.num_heads):
            if self.stage_width(stage) % heads:
                raise UserError(
                    f"model.image: width {self.stage_width(stage)} of stage {stage} is no multiple of {heads} heads."
                )

    @property
    def num_blocks(self) -> int:
        return sum(self.depths)

    @property
    def block_stages(self) -> tuple[int, ...]:
        """Stage of each block, in order."""
        return tuple(stage for stage, depth in enumerate(self.depths) for _ in range(depth))

    @property
    def output_width(self) -> int:
        return self.stage_width(len(self.depths) - 1)

    @property
    def stride(self) -> int:
        """Pixels per token of the last stage; image sides are multiples of it."""
        return int(self.patch_size * 2 ** (len(self.depths) - 1))

    def stage_width(self, stage: int) -> int:
        return int(self.embed_dim * 2**stage)


@dataclass(frozen=True, kw_only=True)
class RobertaConfig:
    """RoBERTa encoder (Liu et al. 2019). Defaults: roberta-base."""

    hidden_size: int = 768
    num_layers: int = 12
    num_heads: int = 12
    intermediate_size: int = 3072
    vocab_size: int = 50265
    max_positions: int = 514
    """Rows of the position table: the longest text plus `pad_id` + 1."""
    pad_id: int = 1
    dropout: float = 0.1
    """On embeddings, attention probabilities and both outputs of a layer."""
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        sizes = ("hidden_size", "num_layers", "num_heads", "intermediate_size", "vocab_size", "max_positions")
        check_counts(self, "model.text.", *sizes)
        check_positive(self, "model.text.", "layer_norm_eps")
        check_shares(self, "model.text.", "dropout")
        most = min(self.vocab_size, self.max_positions - 1) - 1
        if not 0 <= self.pad_id <= most:
            raise UserError(
                f"model.text.pad_id={self.pad_id}: give 0 to {most}, a token of the vocabulary that leaves positions "
                "for texts."
            )
        if self.hidden_size % self.num_heads:
            raise UserError(f"model.text: hidden_size {self.hidden_size} is no multiple of num_heads {self.num_heads}.")


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """Swin and RoBERTa with gated cross-attention in their last `num_fusion_layers` layers (paper section 3.1).

    The last image blocks, across stages, meet the last text layers in order; with the defaults these are Swin blocks
    2.14-2.17, 3.0, 3.1 and RoBERTa layers 6-11.
    """

    image: SwinConfig = field(default_factory=SwinConfig)
    text: RobertaConfig = field(default_factory=RobertaConfig)
    num_fusion_layers: int = 6
    projection_size: int = 768
    """Width of the cross-modal and contrastive projections."""
    query_norm: bool = True
    """LayerNorm on the query of the image blocks' cross-attention (coarse stage, fine-stage fusion version 3)."""
    fused_text_final_norm: bool = False
    """Final LayerNorm of the last text layer in the fused pass (fine stage). The coarse stage leaves it out."""
    initializer_std: float = 0.02
    """Standard deviation of linear and embedding weights trained from scratch; narrow models want more."""

    def __post_init__(self) -> None:
        check_counts(self, "model.", "projection_size")
        check_positive(self, "model.", "initializer_std")
        most = min(self.image.num_blocks, self.text.num_layers)
        if not 1 <= self.num_fusion_layers <= most:
            raise UserError(
                f"model.num_fusion_layers={self.num_fusion_layers}: give 1 to {most}, the number of image blocks or "
                "text layers, whichever is smaller."
            )

    @property
    def longest_text(self) -> int:
        """Tokens that the positions allow."""
        return self.text.max_positions - self.text.pad_id - 1

    @property
    def first_fused_block(self) -> int:
        return self.image.num_blocks - self.num_fusion_layers

    @property
    def first_fused_layer(self) -> int:
        return self.text.num_layers - self.num_fusion_layers

    def with_window(self, window_size: int) -> Self:
        """The same model with attention windows of another side, in tokens."""
        return replace(self, image=replace(self.image, window_size=window_size))

    def with_vocabulary(self, vocab_size: int) -> Self:
        """The same model for a tokeniser of `vocab_size` entries."""
        return replace(self, text=replace(self.text, vocab_size=vocab_size))
