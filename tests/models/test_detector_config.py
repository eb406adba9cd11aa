"""Sizes of the detector and what is refused."""

from dataclasses import replace

import pytest

from fiber.models.config import FusionConfig, SwinConfig
from fiber.models.detector_config import ChannelOrder, CoarserSampling, DetectorConfig
from fiber.utils.errors import UserError


def test_defaults_are_the_paper_model() -> None:
    config = DetectorConfig()
    assert config.strides == (8, 16, 32, 64, 128)
    assert config.pyramid_widths == (256, 512, 1024)
    assert (config.channels, config.num_blocks, config.num_groups, config.anchor_scale) == (256, 6, 16, 8.0)
    assert (config.drop_path, config.drop_block, config.text_budget) == (0.4, 0.3, 256)
    assert config.channel_order is ChannelOrder.BGR
    assert config.coarser_sampling is CoarserSampling.REWRAPPED
    assert not config.query_norm
    assert not config.prompt_offsets


@pytest.mark.parametrize("query_norm", [False, True])
def test_the_backbone_runs_as_the_fine_stage_has_it(tiny_config: FusionConfig, query_norm: bool) -> None:
    fine = DetectorConfig(backbone=tiny_config, query_norm=query_norm, drop_path=0.4).fine_backbone
    assert (fine.image.shrink_window, fine.image.drop_path) == (False, 0.4)
    assert (fine.query_norm, fine.fused_text_final_norm) == (query_norm, True)
    assert replace(fine.image, shrink_window=True, drop_path=0.0) == tiny_config.image  # all else as it was
    assert (fine.text, fine.num_fusion_layers) == (tiny_config.text, tiny_config.num_fusion_layers)


def test_strides_follow_the_patches_and_the_stages() -> None:
    image = SwinConfig(embed_dim=8, depths=(1, 8), num_heads=(1, 2), patch_size=2)
    config = DetectorConfig(backbone=FusionConfig(image=image))
    assert config.strides == (4, 8, 16)
    assert config.pyramid_widths == (16,)


def test_another_backbone_keeps_the_rest(tiny_config: FusionConfig) -> None:
    config = DetectorConfig(channels=32, query_norm=True)
    assert config.with_backbone(tiny_config) == DetectorConfig(backbone=tiny_config, channels=32, query_norm=True)


@pytest.mark.parametrize(
    ("image", "num_fusion_layers"),
    [(SwinConfig(depths=(12,), num_heads=(4,)), 6), (SwinConfig(depths=(7, 1), num_heads=(4, 8)), 2)],
)
def test_fusion_in_the_first_stage_is_refused(image: SwinConfig, num_fusion_layers: int) -> None:
    with pytest.raises(UserError, match="fuse fewer layers"):
        DetectorConfig(backbone=FusionConfig(image=image, num_fusion_layers=num_fusion_layers))


def test_groups_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(UserError, match=r"channels=250 is no multiple of num_groups=16"):
        DetectorConfig(channels=250)


@pytest.mark.parametrize(
    ("option", "value"),
    [("num_groups", 0), ("channels", -16), ("num_blocks", 0), ("anchor_scale", float("nan")), ("text_budget", 2)],
)
def test_a_size_out_of_range_is_named(option: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"{option}={value}: give "):
        DetectorConfig(**{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["drop_path", "drop_block"])
@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_a_share_out_of_range_is_named(option: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"detector\.{option}={value}"):
        DetectorConfig(**{option: value})  # type: ignore[arg-type]
