"""Published weights: layouts, other windows, and files that do not fit.

That outputs agree with timm's and transformers' is tested beside the two backbones.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fiber.checkpoints.position_bias import resize_position_bias
from fiber.checkpoints.pretrained import load_pretrained_image, load_pretrained_text
from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.utils.errors import UserError

from .published_halves import roberta, swin_release, timm_layout


@pytest.fixture
def backbone(tiny_config: FusionConfig) -> FusionBackbone:
    torch.manual_seed(0)
    return FusionBackbone(tiny_config)


@pytest.mark.parametrize("layout", ["release", "timm"])
def test_a_swin_file_of_either_layout_fills_the_image_half(
    backbone: FusionBackbone, layout: str, tmp_path: Path
) -> None:
    state = swin_release(backbone.config)
    path = tmp_path / ("swin.pth" if layout == "release" else "swin.safetensors")
    if layout == "release":
        torch.save({"model": state}, path)
    else:
        save_file({key: value.contiguous() for key, value in timm_layout(state).items()}, path)
    report = load_pretrained_image(backbone, str(path))
    loaded = backbone.state_dict()
    assert torch.equal(loaded["image.blocks.0.attention.qkv.weight"], state["layers.0.blocks.0.attn.qkv.weight"])
    for stage in range(3):
        merge = f"layers.{stage}.downsample.reduction.weight"
        assert torch.equal(loaded[f"image.merges.{stage}.reduction.weight"], state[merge])
    assert torch.equal(loaded["image.norm.bias"], state["norm.bias"])
    assert set(report.ignored) == {
        "vit_model.head.weight",
        "vit_model.layers.0.blocks.0.attn.relative_position_index",
    }
    parameters = {name for name, _ in backbone.named_parameters() if name.startswith("image.")}
    assert set(report.loaded) | set(report.fresh) == parameters
    assert set(report.fresh) == {name for name in parameters if ".cross_attention." in name}
    assert report.resized == ()


def test_position_biases_of_another_window_are_resized(backbone: FusionBackbone, tmp_path: Path) -> None:
    state = swin_release(backbone.config.with_window(7))
    torch.save({"model": state}, tmp_path / "swin.pth")
    report = load_pretrained_image(backbone, str(tmp_path / "swin.pth"))
    assert len(report.resized) == backbone.config.image.num_blocks
    expected = resize_position_bias(state["layers.2.blocks.1.attn.relative_position_bias_table"], 4)
    assert torch.equal(backbone.image.blocks[3].attention.relative_position_bias, expected)


@pytest.mark.parametrize("prefix", ["", "roberta."])
def test_a_roberta_file_fills_the_text_half(backbone: FusionBackbone, prefix: str, tmp_path: Path) -> None:
    state = roberta(backbone.config)
    torch.save({prefix + key: value for key, value in state.items()}, tmp_path / "pytorch_model.bin")
    report = load_pretrained_text(backbone, str(tmp_path))
    loaded = backbone.state_dict()
    parts = [state[f"encoder.layer.3.attention.self.{part}.weight"] for part in ("query", "key", "value")]
    assert torch.equal(loaded["text.layers.3.attention.qkv.weight"], torch.cat(parts))
    assert torch.equal(loaded["text.embedding.position.weight"], state["embeddings.position_embeddings.weight"])
    assert report.ignored == ()
    assert len(report.loaded) + len(report.fresh) == len(list(backbone.text.parameters()))


def test_a_roberta_of_another_vocabulary_is_refused(
    backbone: FusionBackbone, tiny_config: FusionConfig, tmp_path: Path
) -> None:
    save_file(roberta(tiny_config.with_vocabulary(70)), tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"knows 70 tokens, the tokeniser 50: .*tokenizer\.path"):
        load_pretrained_text(backbone, str(tmp_path))


def test_a_missing_tensor_is_named_and_nothing_is_loaded(backbone: FusionBackbone, tmp_path: Path) -> None:
    state = swin_release(backbone.config)
    del state["layers.3.blocks.0.mlp.fc1.bias"]
    torch.save(state, tmp_path / "swin.pth")
    before = backbone.image.norm.bias.clone()
    with pytest.raises(UserError, match=r"lacks 1 tensors of this model, vit_model\.layers\.3\.blocks\.0\.mlp\.fc1"):
        load_pretrained_image(backbone, str(tmp_path / "swin.pth"))
    assert torch.equal(backbone.image.norm.bias, before)


def test_a_tensor_of_another_shape_is_named(backbone: FusionBackbone, tmp_path: Path) -> None:
    state = swin_release(backbone.config)
    state["patch_embed.proj.weight"] = torch.zeros(8, 3, 2, 2)
    torch.save(state, tmp_path / "swin.pth")
    with pytest.raises(
        UserError, match=r"patch_embedding\.projection\.weight is \(8, 3, 2, 2\).*\(8, 3, 4, 4\): give a file"
    ):
        load_pretrained_image(backbone, str(tmp_path / "swin.pth"))


class Executed:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return exec, ("raise SystemExit('a weights file was executed')",)


@pytest.mark.parametrize("content", ["garbage", "code", "list", "directory", "safetensors"])
@pytest.mark.parametrize("load", [load_pretrained_image, load_pretrained_text])
def test_a_file_that_holds_no_weights_is_named(
    backbone: FusionBackbone, load: Callable[[FusionBackbone, str], object], content: str, tmp_path: Path
) -> None:
    path = tmp_path / ("weights.safetensors" if content == "safetensors" else "weights.pth")
    if content == "directory":
        path.mkdir()
    elif content in ("garbage", "safetensors"):
        path.write_bytes(b"no weights")
    else:
        torch.save({"model": Executed()} if content == "code" else [1, 2], path)
    with pytest.raises(UserError, match=rf"model\.pretrained_(image|text)={path}.*: give a"):
        load(backbone, str(path))


def test_an_unreachable_hub_says_how_to_go_on(backbone: FusionBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"give model\.pretrained_image=PATH .* or model\.pretrained_image=null"):
        load_pretrained_image(backbone, "swin_tiny_patch4_window7_224.ms_in22k")
    with pytest.raises(UserError, match=r"give model\.pretrained_text=PATH .* or model\.pretrained_text=null"):
        load_pretrained_text(backbone, "no-such-organisation/no-such-roberta")
