"""Weights before training, where no pretrained ones are loaded."""

from torch import nn

from fiber.models.roberta import RobertaEmbedding
from fiber.models.window_attention import WindowAttention


def initialize(model: nn.Module, std: float) -> None:
    """Fill linear, embedding and position-bias weights of `model` in place (Swin's and RoBERTa's conventions).

    Linear weights and embeddings are normal with standard deviation `std`, biases 0, position biases truncated normal;
    LayerNorms and gates keep their 1, 0 and 0, convolutions the framework's default.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, WindowAttention):
            nn.init.trunc_normal_(module.relative_position_bias, std=std)
        if isinstance(module, RobertaEmbedding):
            nn.init.zeros_(module.word.weight.data[module.pad_id])
