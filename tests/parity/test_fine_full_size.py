"""Published numbers of the full-size detector on generated weights (float32).

Axes: B = 2 images of 192 x 256 pixels, L = 256 tokens, A = 1024 anchors.
"""

import zlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fiber.checkpoints.original_coarse import from_original, to_original
from fiber.checkpoints.original_fine import detector_names
from fiber.detection.assignment import assign_anchors
from fiber.detection.inclusive_pixels import last_pixels
from fiber.detection.postprocessing import GroundingPostProcessor
from fiber.models.detector_config import ChannelOrder, DetectorConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.grounding_head import DetectorOutput
from fiber.objectives.grounding import GroundingCriterion, ImageTargets

from .fine_fixture import continuous

FEATURES = {
    "second": {
        "text[0,0,0:4]": (0.20001, -1.27007, 0.57866, -0.25988),
        "text[1,255,100:103]": (1.08741, 1.95049, -1.52948),
        "text mean abs": (0.792320,),
        "P3[0,0:3,0,0]": (1.36727, 1.70620, 1.15173),
        "P4[0,0:3,0,0]": (0.00943, -0.42221, -0.19908),
        "P5[0,0:3,0,0]": (0.49593, 0.73893, -0.48355),
        "P mean abs": (1.40508, 1.14892, 0.68440, 0.628753, 0.343597),
    },
    "third": {
        "text[0,0,0:4]": (0.24603, -1.27521, 0.57210, -0.32179),
        "text[1,255,100:103]": (1.02542, 1.89429, -1.47875),
        "text mean abs": (0.792377,),
        "P3[0,0:3,0,0]": (1.40015, 1.73720, 1.16131),
        "P4[0,0:3,0,0]": (-0.01093, -0.44220, -0.16798),
        "P5[0,0:3,0,0]": (0.49752, 0.68501, -0.52187),
        "P mean abs": (1.40593, 1.14719, 0.68553, 0.629413, 0.344648),
    },
}
PREDICTIONS = {
    "second": {
        "logit P3[0,0,1:4]": (-1.88381, -1.89194, -1.88898),
        "logit mean": (-1.63158, -1.80530, -1.82833, -1.87617, -1.98181),
        "logit[1,last,255]": (-1.77483, -1.88852, -1.83343, -2.00214, -2.03227),
        "deltas P3[0,:,0,0]": (-0.00889, -0.05794, 0.20132, 0.15431),
        "deltas mean abs": (0.206713, 0.127701, 0.137791, 0.154653, 0.336593),
        "centerness mean": (0.000754, 0.015502, -0.001639, 0.133878, 0.072121),
    },
    "third": {
        "logit P3[0,0,1:4]": (-1.88879, -1.89728, -1.89447),
        "logit mean": (-1.63568, -1.80656, -1.83145, -1.87824, -1.98270),
        "logit[1,last,255]": (-1.77827, -1.89170, -1.83864, -1.99974, -2.03613),
        "deltas P3[0,:,0,0]": (-0.01255, -0.05733, 0.20063, 0.14942),
        "deltas mean abs": (0.207381, 0.128443, 0.136967, 0.154272, 0.336996),
        "centerness mean": (0.001236, 0.014817, -0.000146, 0.135770, 0.069939),
    },
}
LOSSES = {"second": (33.5726, 0.842006, 0.677211), "third": (33.3234, 0.841501, 0.676670)}
"""Tokens, boxes, centerness."""
DETECTIONS: dict[str, dict[str, Any]] = {
    "second": {
        "box": (80.175, 82.790, 150.429, 146.438),
        "best": ((2, 0.313481), (1, 0.313273), (3, 0.312643)),
        "sums": (30.0900, 30.5277),
    },
    "third": {
        "box": (80.159, 82.804, 150.527, 146.467),
        "best": ((2, 0.312308), (1, 0.312202), (3, 0.311439)),
        "sums": (29.9497, 30.4838),
    },
}
"""Box, labels and scores of the best of the first image; sum of all 100 scores of both."""
ASSIGNMENT = {
    0: {
        1: [40, 41, 72, 73, 74, 104, 105, 106, 137],
        0: [835, 836, 837, 850, 851, 852, 853, 867, 868],
        2: [971, 978, 979, 980, 986, 987, 988, 995, 996],
    },
    1: {0: [337, 338, 368, 369, 370, 400, 401, 402, 433]},
}
BOXES = ([[10, 20, 120, 150], [60, 5, 90, 40], [0, 0, 249, 191]], [[100, 60, 180, 130]])
POSITIVES = ([[1, 2], [4], [6, 7, 8]], [[10, 11]])
SIZES = [(192, 250), (180, 256)]


def generated(name: str, shape: torch.Size) -> Tensor:
    """A parameter of the original by its name."""
    u = np.random.RandomState(zlib.crc32(name.encode())).uniform(-1, 1, size=shape.numel())
    if len(shape) >= 2 and "relative_position" not in name and "embeddings" not in name:
        values = u * (3 / shape[1:].numel()) ** 0.5
        if any(part in name for part in (".query.", ".key.", "qkv_i2t")):
            values = values * 3
        if ".output.dense." in name:
            values = values * 0.5
    elif "relative_position" in name:
        values = 0.5 * u
    elif "embeddings" in name and len(shape) == 2:
        values = u
    elif ("norm" in name.lower() or ".bn." in name) and name.endswith("weight"):
        values = 1 + 0.2 * u
    elif "alpha" in name:
        values = np.full(shape.numel(), 0.9)
    elif name.endswith("scale") and "log" not in name:
        values = 1 + 0.2 * u
    elif name.endswith("log_scale"):
        values = np.full(shape.numel(), 0.1)
    elif name.endswith("bias0"):
        values = np.full(shape.numel(), -2.0)
    else:
        values = 0.1 * u
    return torch.from_numpy(values.astype(np.float32)).view(shape)


def make_model(*, third_version: bool) -> GroundedDetector:
    config = DetectorConfig(query_norm=third_version, channel_order=ChannelOrder.RGB)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in GroundedDetector(config).state_dict().items()}
    names = detector_names(config)
    originals = to_original({name: torch.empty(shape, device="meta") for name, shape in shapes.items()}, names)
    model = GroundedDetector(config).eval()
    model.load_state_dict(from_original({name: generated(name, one.shape) for name, one in originals.items()}, names))
    return model


def make_inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, ids and mask."""
    b, c, y, x = np.ogrid[:2, :3, :192, :256]
    pixels = np.sin(0.11 * y + 0.5 * c + b) + np.cos(0.07 * x - 0.3 * c + 0.02 * b * y)
    length, place = torch.tensor([20, 256])[:, None], torch.arange(256)
    ids = 3 + (977 * place + 131 * torch.arange(2)[:, None]) % 50000
    ids = torch.where(place == length - 1, 2, torch.where(place >= length, 1, ids))
    ids[:, 0] = 0
    return torch.from_numpy(pixels.astype(np.float32)), ids, place < length


def make_targets() -> list[ImageTargets]:
    targets = []
    for boxes, rows in zip(BOXES, POSITIVES, strict=True):
        positives = torch.zeros(len(rows), 256, dtype=torch.bool)
        for row, positions in enumerate(rows):
            positives[row, positions] = True
        targets.append(ImageTargets(continuous(torch.tensor(boxes, dtype=torch.float32)), positives))
    return targets


def by_level(part: Tensor, output: DetectorOutput) -> tuple[Tensor, ...]:
    return torch.split(part, [height * width for height, width in output.level_sizes], dim=1)


def predictions(output: DetectorOutput) -> dict[str, Tensor]:
    logits, deltas, centerness = (by_level(part, output) for part in output[:3])  # type: ignore[arg-type]
    return {
        "logit P3[0,0,1:4]": logits[0][0, 0, 1:4],
        "logit mean": torch.stack([level.mean() for level in logits]),
        "logit[1,last,255]": torch.stack([level[1, -1, 255] for level in logits]),
        "deltas P3[0,:,0,0]": deltas[0][0, 0],
        "deltas mean abs": torch.stack([level.abs().mean() for level in deltas]),
        "centerness mean": torch.stack([level.mean() for level in centerness]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("version", ["second", "third"])
@torch.no_grad()
def test_the_full_size_detector_gives_the_published_numbers(version: str) -> None:
    model = make_model(third_version=version == "third")
    pixels, ids, mask = make_inputs()
    fused = model.backbone.fuse(model.encode_image(pixels), model.encode_text(ids, mask))
    levels = model.pyramid(model.stage_features(fused))
    features = {
        "text[0,0,0:4]": fused.text[0, 0, :4],
        "text[1,255,100:103]": fused.text[1, 255, 100:103],
        "text mean abs": fused.text.abs().mean()[None],
        "P mean abs": torch.stack([level.abs().mean() for level in levels]),
    } | {f"P{3 + index}[0,0:3,0,0]": levels[index][0, :3, 0, 0] for index in range(3)}
    for name, expected in FEATURES[version].items():
        assert features[name].tolist() == pytest.approx(expected, abs=5e-5), name

    output = model.head(levels, fused.text, mask)
    assert output.level_sizes == ((24, 32), (12, 16), (6, 8), (3, 4), (2, 2))
    found = predictions(output)
    for name, expected in PREDICTIONS[version].items():
        assert found[name].tolist() == pytest.approx(expected, abs=1e-5), name

    losses = GroundingCriterion(model.config)(output, make_targets())
    assert [loss.item() for loss in losses] == pytest.approx(LOSSES[version], rel=2e-5)

    wanted = DETECTIONS[version]
    detections = GroundingPostProcessor(model.config)(output, SIZES, [[[1, 2], [4], [6, 7, 8]]] * 2)
    for place, (label, score) in enumerate(wanted["best"]):
        assert last_pixels(detections[0].boxes[place]).tolist() == pytest.approx(wanted["box"], abs=2e-3)
        assert detections[0].labels[place].item() + 1 == label
        assert detections[0].scores[place].item() == pytest.approx(score, abs=2e-6)
    assert [len(one.scores) for one in detections] == [100, 100]
    assert [one.scores.sum().item() for one in detections] == pytest.approx(wanted["sums"], abs=2e-4)


def test_the_published_targets_are_assigned_as_published() -> None:
    output = DetectorOutput(
        torch.zeros(2, 1024, 256),
        torch.zeros(2, 1024, 4),
        torch.zeros(2, 1024),
        torch.ones(2, 256, dtype=torch.bool),
        ((24, 32), (12, 16), (6, 8), (3, 4), (2, 2)),
    )
    anchors = GroundingCriterion(DetectorConfig()).anchors(output)
    assert len(anchors) == 1024
    for image, target in enumerate(make_targets()):
        found = assign_anchors(anchors, [768, 192, 48, 12, 4], target.boxes)
        expected = torch.full((1024,), -1)
        for box, places in ASSIGNMENT[image].items():
            expected[places] = box
        assert torch.equal(found, expected)
