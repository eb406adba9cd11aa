"""Our Swin against timm's on the same random weights, and against the plain definition where timm has none."""

from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiber.checkpoints.pretrained import fill_image, load_pretrained_image
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.window_attention import WindowAttention

TINY_TEXT = RobertaConfig(hidden_size=8, num_layers=2, num_heads=2, intermediate_size=8, vocab_size=10)


def randomize(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)


@pytest.mark.parametrize(
    ("size", "window"), [((224, 224), 7), ((64, 64), 2), ((128, 128), 4), ((128, 256), 4), ((96, 96), 3), ((64, 64), 4)]
)
def test_swin_equals_timm(size: tuple[int, int], window: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"embed_dim": 8, "depths": (2, 2, 4, 2), "num_heads": (1, 2, 4, 8)}
    theirs = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=size, window_size=window, drop_path_rate=0.0, num_classes=0, **sizes
    )
    randomize(theirs)
    theirs = theirs.double().eval()
    torch.save(theirs.state_dict(), tmp_path / "swin.pth")
    config = FusionConfig(
        image=SwinConfig(window_size=window, drop_path=0.0, **sizes), text=TINY_TEXT, num_fusion_layers=2
    )
    backbone = FusionBackbone(config).double().eval()
    pixels = torch.randn(2, 3, *size, dtype=torch.float64)
    if any(table.shape != ((2 * window - 1) ** 2, heads) for table, heads in tables(theirs)):
        copy_shrunk_tables(theirs, backbone)  # timm cuts the tables of windows that cover the map
    else:
        load_pretrained_image(backbone, str(tmp_path / "swin.pth"))
    expected = theirs.forward_features(pixels)
    value = backbone.image(pixels)
    assert (value - expected).abs().max() <= 1e-10 * expected.abs().max()
    assert expected.abs().max() > 0.1


def tables(model: nn.Module) -> list[tuple[Tensor, int]]:
    return [
        (block.attn.relative_position_bias_table, block.attn.num_heads)
        for layer in model.layers
        for block in layer.blocks
    ]


def copy_shrunk_tables(theirs: nn.Module, backbone: FusionBackbone) -> None:
    """Load timm's weights, putting a smaller window's table in the middle of ours."""
    state = theirs.state_dict()
    blocks = [(name, block) for name, block in theirs.named_modules() if hasattr(block, "attn")]
    side = backbone.image.blocks[0].attention.table_side
    for name, _ in blocks:
        key = f"{name}.attn.relative_position_bias_table"
        table = state[key]
        old = round(len(table) ** 0.5)
        margin = (side - old) // 2
        grid = F.pad(table.T.reshape(-1, old, old), (margin,) * 4)
        state[key] = grid.flatten(1).T
    fill_image(backbone, state, source="timm")


def attention_by_loops(
    attention: WindowAttention, x: Tensor, window: tuple[int, int], shift: tuple[int, int]
) -> Tensor:
    """Window attention token by token from its definition: pad, roll, and mask by region."""
    _, height, width, channels = x.shape
    x = F.pad(x, (0, 0, 0, -width % window[1], 0, -height % window[0]))
    padded_h, padded_w = x.shape[1:3]
    x = x.roll((-shift[0], -shift[1]), (1, 2))
    out = torch.zeros_like(x)
    heads = attention.num_heads

    def region(position: int, size: int, axis: int) -> int:
        return int(position >= size - window[axis]) + int(shift[axis] > 0 and position >= size - shift[axis])

    for top in range(0, padded_h, window[0]):
        for left in range(0, padded_w, window[1]):
            cells = [(r, c) for r in range(top, top + window[0]) for c in range(left, left + window[1])]
            tokens = torch.stack([x[:, r, c] for r, c in cells], 1)
            q, k, v = attention.qkv(tokens).chunk(3, -1)
            bias = torch.empty(heads, len(cells), len(cells), dtype=x.dtype)
            for i, (ri, ci) in enumerate(cells):
                for j, (rj, cj) in enumerate(cells):
                    middle = attention.table_side // 2
                    row = (ri - rj + middle) * attention.table_side + ci - cj + middle
                    bias[:, i, j] = attention.relative_position_bias[row]
                    here = (region(ri, padded_h, 0), region(ci, padded_w, 1))
                    if here != (region(rj, padded_h, 0), region(cj, padded_w, 1)):
                        bias[:, i, j] -= 100
            split = [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v)]
            weights = (split[0] @ split[1].transpose(-1, -2) * (channels // heads) ** -0.5 + bias).softmax(-1)
            result = attention.output((weights @ split[2]).transpose(1, 2).flatten(2))
            for position, (r, c) in enumerate(cells):
                out[:, r, c] = result[:, position]
    return out.roll(shift, (1, 2))[:, :height, :width]


@pytest.mark.parametrize(
    ("size", "shrink", "window", "shift"),
    [
        ((8, 12), True, (4, 4), (2, 2)),
        ((7, 10), True, (4, 4), (2, 2)),  # padded to whole windows
        ((4, 9), True, (4, 4), (0, 2)),  # one window covers the height
        ((3, 8), True, (3, 4), (0, 2)),  # a map lower than the window
        ((3, 4), False, (4, 4), (2, 2)),  # fine stage: padded and shifted all the same
        ((9, 6), False, (4, 4), (2, 2)),
    ],
)
def test_window_attention_follows_its_definition(
    size: tuple[int, int], shrink: bool, window: tuple[int, int], shift: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    attention = WindowAttention(8, num_heads=2, window_size=4, shifted=True, shrink_window=shrink).double()
    randomize(attention)
    x = torch.randn(2, *size, 8, dtype=torch.float64)
    torch.testing.assert_close(attention(x), attention_by_loops(attention, x, window, shift), rtol=1e-10, atol=1e-10)
