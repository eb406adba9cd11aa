"""The map between the original detector's state dict and ours."""

from collections import Counter

import pytest
import torch

from fiber.checkpoints.original_coarse import from_original, to_original
from fiber.checkpoints.original_fine import HEAD_PREFIX, IMAGE_PREFIX, PYRAMID_PREFIX, TEXT_PREFIX, detector_names
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounded_detector import GroundedDetector

PREFIXES = (IMAGE_PREFIX, TEXT_PREFIX, PYRAMID_PREFIX, HEAD_PREFIX)


def test_every_tensor_survives_the_way_there_and_back(tiny_detector: GroundedDetector) -> None:
    names = detector_names(tiny_detector.config)
    state = tiny_detector.state_dict()
    originals = to_original(state, names)
    assert len(originals) == sum(len(name.originals) for name in names)  # no two of ours share a name there
    again = from_original(originals, names)
    assert set(again) == set(state)
    for name, value in state.items():
        assert torch.equal(again[name], value), name


@pytest.mark.parametrize(("query_norm", "entries", "image"), [(False, 806, 99_479_422), (True, 818, 99_487_614)])
def test_the_paper_model_has_the_original_entries_and_sizes(query_norm: bool, entries: int, image: int) -> None:
    config = DetectorConfig(query_norm=query_norm)
    with torch.device("meta"):
        model = GroundedDetector(config)
    originals = to_original(model.state_dict(), detector_names(config))
    assert len(originals) == entries - 30 - 2  # without buffers and the layer that the original never uses
    elements = Counter[str]()
    for name, value in originals.items():
        elements[next(prefix for prefix in PREFIXES if name.startswith(prefix))] += value.numel()
    unused = 80 * 256 + 80
    assert [elements[prefix] for prefix in PREFIXES] == [image, 137_442_822, 3_409_920, 11_723_140 - unused]


def test_shapes_and_places_of_some_original_tensors() -> None:
    config = DetectorConfig()
    with torch.device("meta"):
        model = GroundedDetector(config)
    originals = to_original(model.state_dict(), detector_names(config))
    expected = {
        f"{IMAGE_PREFIX}.layers.2.blocks.14.attn.qkv_text_i2t.weight": (1024, 768),
        f"{IMAGE_PREFIX}.layers.3.blocks.1.attn.relative_position_bias_table": (529, 32),
        f"{IMAGE_PREFIX}.norm1.weight": (256,),
        f"{TEXT_PREFIX}.encoder.layer.9.crossattention_t2i.self.key.weight": (768, 512),
        f"{TEXT_PREFIX}.encoder.layer.10.crossattention_t2i.self.value.weight": (768, 1024),
        f"{PYRAMID_PREFIX}.fpn_inner3.weight": (256, 512, 1, 1),
        f"{PYRAMID_PREFIX}.top_blocks.p7.bias": (256,),
        f"{HEAD_PREFIX}.dyhead_tower.5.DyConv.2.conv.weight": (256, 256, 3, 3),
        f"{HEAD_PREFIX}.dyhead_tower.0.relu.fc.2.weight": (1024, 64),
        f"{HEAD_PREFIX}.dot_product_projection_text.weight": (256, 768),
        f"{HEAD_PREFIX}.scales.4.scale": (1,),
    }
    assert {name: tuple(originals[name].shape) for name in expected} == expected


def test_branches_stand_in_the_original_order(tiny_detector: GroundedDetector) -> None:
    originals = to_original(tiny_detector.state_dict(), detector_names(tiny_detector.config))
    block = tiny_detector.head.blocks[1]
    for index, branch in enumerate((block.from_coarser, block.from_same, block.from_finer)):
        weight = originals[f"{HEAD_PREFIX}.dyhead_tower.1.DyConv.{index}.conv.weight"]
        assert torch.equal(weight, branch.convolution.weight)


def test_a_missing_tensor_is_an_error(tiny_detector: GroundedDetector) -> None:
    names = detector_names(tiny_detector.config)
    originals = to_original(tiny_detector.state_dict(), names)
    del originals["rpn.head.bias0"]
    with pytest.raises(KeyError, match=r"rpn\.head\.bias0"):
        from_original(originals, names)
