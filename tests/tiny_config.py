"""The smallest model that has every part."""

from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig

TINY_CONFIG = FusionConfig(
    image=SwinConfig(embed_dim=8, depths=(1, 1, 3, 1), num_heads=(1, 2, 2, 4), window_size=4, drop_path=0.0),
    text=RobertaConfig(
        hidden_size=16, num_layers=4, num_heads=2, intermediate_size=32, vocab_size=50, max_positions=34, dropout=0.0
    ),
    num_fusion_layers=3,
    projection_size=16,
    initializer_std=0.2,
)
