"""Published numbers of the full-size model on generated weights (float32).

Axes: B = 2 pairs, L = 40 tokens, S image side.
"""

import zlib

import numpy as np
import pytest
import torch
from torch import Tensor

from fiber.checkpoints.original_coarse import TensorName, from_original, pretraining_names, to_original
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.models.config import FusionConfig
from fiber.models.pretraining_model import FiberForPretraining

ANCHORS = {
    384: {
        "fused cls[0,0:4]": (0.240134, 0.308898, 0.498279, -0.601144),
        "fused cls[0,768:772]": (-0.510776, -0.029972, 0.065488, 0.229059),
        "fused cls[1,0:4]": (0.278872, 0.342239, 0.516506, -0.616970),
        "text_feats[0,0,0:4]": (0.903147, 0.216019, 0.528636, -0.356110),
        "text_feats[1,20,0:4]": (0.952664, -0.797677, 0.633202, -0.002956),
        "image_feats[1,100,0:4]": (2.024817, 0.315549, -0.917295, 1.260563),
        "mean abs": (0.565246, 0.938238),
        "ITM logits": (-0.331378, 0.717367, -0.187018, 0.530360),
        "MLM logits[0,3,0:4]": (-1.097883, -0.171515, -0.324275, -1.625878),
        "MLM arg-max[0,0:6]": (40820, 33568, 844, 23889, 36256, 45074),
        "ITC image[0,0:4]": (-0.001824, 0.007782, -0.030151, -0.010687),
        "ITC text[0,0:4]": (-0.005744, 0.026429, -0.036738, 0.006038),
        "ITC image·text": (-0.064841, -0.055191, -0.065869, -0.058156),
    },
    224: {
        "fused cls[0,0:4]": (0.229367, 0.251522, 0.522596, -0.647675),
        "fused cls[0,768:772]": (-0.466153, -0.068368, 0.090086, 0.101280),
        "fused cls[1,0:4]": (0.260046, 0.329860, 0.509193, -0.622455),
        "text_feats[0,0,0:4]": (0.946306, 0.156559, 0.397958, -0.318662),
        "text_feats[1,20,0:4]": (0.900739, -0.905276, 0.601760, -0.058471),
        "image_feats[1,48,0:4]": (1.679342, -0.507344, -2.216789, 0.850067),
        "mean abs": (0.568688, 0.937578),
        "ITM logits": (-0.390598, 0.573127, -0.377361, 0.627205),
        "MLM logits[0,3,0:4]": (-1.055387, -0.211292, -0.372187, -1.597638),
        "MLM arg-max[0,0:6]": (40820, 33125, 844, 23889, 33261, 32582),
        "ITC image[0,0:4]": (-0.004920, 0.023977, -0.036766, 0.007422),
        "ITC text[0,0:4]": (-0.005744, 0.026429, -0.036738, 0.006038),
        "ITC image·text": (-0.049512, -0.042105, -0.067081, -0.059406),
    },
}
TOLERANCE = 2e-5


def uniform(name: str, count: int) -> np.ndarray:
    """The generator of the anchors: `count` numbers in [-0.5, 0.5), float64."""
    modulus = np.uint64(2**32 - 1)
    x = (np.arange(count, dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()))) * np.uint64(0x9E3779B1) & modulus
    x = (x ^ (x >> np.uint64(15))) * np.uint64(0x85EBCA77) & modulus
    x = (x ^ (x >> np.uint64(13))) * np.uint64(0xC2B2AE3D) & modulus
    return (x ^ (x >> np.uint64(16))).astype(np.float64) / 2**32 - 0.5


def generated(name: str, shape: torch.Size) -> Tensor:
    """A parameter of the original by its name."""
    u = uniform(name, shape.numel())
    if "alpha_" in name:
        values = 0.8 + 0.4 * u
    elif name.endswith("relative_position_bias_table"):
        values = u
    elif len(shape) <= 1:
        values = 1 + 0.2 * u if name.endswith("weight") else 0.1 * u
    else:
        values = 0.08 * u
    return torch.from_numpy(values.astype(np.float32)).view(shape)


def anchor_model(image_size: int) -> FiberForPretraining:
    config = FusionConfig().with_window(image_size // 32)
    model = FiberForPretraining(config).eval()
    names: tuple[TensorName, ...] = pretraining_names(config)
    shapes = {name: value.shape for name, value in to_original(dict(model.state_dict()), names).items()}
    model.load_state_dict(from_original({name: generated(name, shape) for name, shape in shapes.items()}, names))
    return model


def anchor_inputs(image_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, ids and mask."""
    pixels = torch.from_numpy((4 * uniform("image", 2 * 3 * image_size**2)).astype(np.float32))
    ids = torch.from_numpy(4 + np.floor((uniform("ids", 80) + 0.5) * 49996).astype(np.int64)).view(2, 40)
    length = torch.tensor([12, 25])[:, None]
    place = torch.arange(40)
    ids = torch.where(place == length - 1, 2, torch.where(place >= length, 1, ids))
    ids[:, 0] = 0
    assert ids[0, :5].tolist() == [0, 7420, 2806, 13486, 2728]
    return pixels.view(2, 3, image_size, image_size), ids, place < length


@torch.no_grad()
def measured(image_size: int) -> dict[str, Tensor]:
    model = anchor_model(image_size)
    pixels, ids, mask = anchor_inputs(image_size)
    image, text = model.backbone.encode_image(pixels), model.backbone.encode_text(ids, mask)
    features = model.cross_modal_head(model.backbone.fuse(image, text))
    token_logits = model.masked_language_modeling_head(features.text)
    image_embedding, text_embedding = model.embed_image(image), model.embed_text(text)
    token = 100 if image_size == 384 else 48
    return {
        "fused cls[0,0:4]": features.pooled[0, :4],
        "fused cls[0,768:772]": features.pooled[0, 768:772],
        "fused cls[1,0:4]": features.pooled[1, :4],
        "text_feats[0,0,0:4]": features.text[0, 0, :4],
        "text_feats[1,20,0:4]": features.text[1, 20, :4],
        f"image_feats[1,{token},0:4]": features.image[1, token, :4],
        "mean abs": torch.stack([features.text.abs().mean(), features.image.abs().mean()]),
        "ITM logits": model.matching_head(features.pooled).flatten(),
        "MLM logits[0,3,0:4]": token_logits[0, 3, :4],
        "MLM arg-max[0,0:6]": token_logits[0, :6].argmax(dim=-1).float(),
        "ITC image[0,0:4]": image_embedding[0, :4],
        "ITC text[0,0:4]": text_embedding[0, :4],
        "ITC image·text": (image_embedding @ text_embedding.T).flatten(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("image_size", [224, 384])
def test_the_full_size_model_gives_the_published_numbers(image_size: int) -> None:
    values = measured(image_size)
    assert set(values) == set(ANCHORS[image_size])
    for name, expected in ANCHORS[image_size].items():
        assert values[name].tolist() == pytest.approx(expected, abs=TOLERANCE), name


def test_a_resized_position_bias_gives_the_published_numbers() -> None:
    table = torch.from_numpy(uniform("T", 529 * 4).astype(np.float32)).view(529, 4)
    resized = resize_position_bias(table, 18)
    assert resized.shape == (1225, 4)
    assert resized[0].tolist() == pytest.approx([0.190344, 0.508192, -0.426384, 0.426285], abs=2e-6)
    assert resized[37].tolist() == pytest.approx([0.196535, -0.150578, 0.015965, 0.057446], abs=2e-6)
    assert resized[612].tolist() == pytest.approx([0.084000, -0.311521, 0.204796, 0.048740], abs=2e-6)
    assert resized.sum().item() == pytest.approx(-26.511158, abs=1e-4)
    assert resize_position_bias(table, 12) is table
