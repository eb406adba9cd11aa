"""Sizes that fit together, and what is said of those that do not."""

from typing import Any

import pytest

from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.utils.errors import UserError


@pytest.mark.parametrize(
    ("kind", "sizes", "message"),
    [
        (SwinConfig, {"depths": (2, 2)}, "depths has 2 stages, num_heads 4"),
        (SwinConfig, {"num_heads": (4, 8, 16, 33)}, "width 1024 of stage 3 is no multiple of 33 heads"),
        (RobertaConfig, {"num_heads": 7}, "hidden_size 768 is no multiple of num_heads 7"),
        (FusionConfig, {"num_fusion_layers": 13}, "num_fusion_layers=13: give 1 to 12"),
        (FusionConfig, {"num_fusion_layers": 0}, "num_fusion_layers=0: give 1 to 12"),
        (SwinConfig, {"num_heads": (0, 8, 16, 32)}, r"model.image.num_heads=\(0, 8, 16, 32\): give whole numbers"),
        (SwinConfig, {"depths": (-1, 2, 18, 2)}, "model.image.depths=.* at least 1 each"),
        (SwinConfig, {"mlp_ratio": -1.0}, "model.image.mlp_ratio=-1.0: give a finite number above 0"),
        (SwinConfig, {"drop_path": 1.0}, "model.image.drop_path=1.0: give a share"),
        (RobertaConfig, {"num_heads": 0}, "model.text.num_heads=0: give a whole number of at least 1"),
        (RobertaConfig, {"pad_id": 5000}, "model.text.pad_id=5000: give 0 to 512"),
        (RobertaConfig, {"layer_norm_eps": -1.0}, "model.text.layer_norm_eps=-1.0"),
        (RobertaConfig, {"dropout": 5.0}, "model.text.dropout=5.0"),
        (FusionConfig, {"projection_size": -2}, "model.projection_size=-2"),
        (FusionConfig, {"initializer_std": float("nan")}, "model.initializer_std=nan"),
    ],
)
def test_sizes_that_do_not_fit_are_named(kind: type, sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        kind(**sizes)


def test_the_default_fuses_the_blocks_and_layers_of_the_paper() -> None:
    config = FusionConfig()
    assert config.first_fused_layer == 6
    assert config.first_fused_block == 2 + 2 + 14
    assert config.image.block_stages[config.first_fused_block :] == (2, 2, 2, 2, 3, 3)
    assert (config.image.output_width, config.image.stride) == (1024, 32)
