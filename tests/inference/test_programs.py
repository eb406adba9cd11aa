"""Models as `torch.export` programs, which answer as the library does."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fiber.checkpoints.model_description import ModelKind
from fiber.data.normalization import normalize_pixels
from fiber.detection.inclusive_pixels import clip_to_image
from fiber.detection.postprocessing import GroundingPostProcessor, PostProcessingConfig
from fiber.inference.matching import Matcher
from fiber.inference.programs import export_detector, export_image_encoder, export_text_encoder
from fiber.models.config import FusionConfig
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.utils.errors import UserError

from .coarse_models import IMAGE_SIZE, TEXT_LENGTH, coarse_model

HEIGHT, WIDTH = 64, 96
EVERYTHING = PostProcessingConfig(score_threshold=0.0, max_candidates=10**6, nms_threshold=1.0, max_detections=10**6)


@pytest.fixture
def detector(tiny_detector_config: DetectorConfig) -> GroundedDetector:
    torch.manual_seed(0)
    backbone = replace(
        tiny_detector_config.backbone,
        image=replace(tiny_detector_config.backbone.image, depths=(1, 2), num_heads=(1, 2)),
        text=replace(tiny_detector_config.backbone.text, num_layers=2),
        num_fusion_layers=2,
    )
    model = GroundedDetector(replace(tiny_detector_config, backbone=backbone, num_blocks=1, text_budget=8)).eval()
    torch.nn.init.normal_(model.head.prior_bias)
    return model


@torch.no_grad()
def test_encoders_embed_pictures_and_texts_as_the_library_does(tiny_config: FusionConfig) -> None:
    model, inputs = coarse_model(ModelKind.RETRIEVAL, tiny_config)
    matcher = Matcher(model, inputs)
    see = export_image_encoder(model, image_size=IMAGE_SIZE).module()
    read = export_text_encoder(model, max_text_length=TEXT_LENGTH).module()
    for number in (1, 3):
        pixels = np.random.default_rng(0).integers(0, 256, (number, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
        found = see(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        assert torch.allclose(found, matcher.embed_image([Image.fromarray(one) for one in pixels]), atol=1e-5)
        texts = ["a small red circle", "a green square above a blue circle", "a triangle"][:number]
        longest = max(map(inputs.tokenizer.count, texts)) + 2  # the program reads texts of any length
        ids = inputs.tokenizer.encode(texts, longest).ids
        assert torch.allclose(read(ids), matcher.embed_text(texts), atol=1e-5)


@torch.no_grad()
def test_a_detector_s_boxes_and_scores_are_those_of_the_library(detector: GroundedDetector) -> None:
    program = export_detector(detector, height=HEIGHT, width=WIDTH).module()
    image = torch.randint(0, 256, (1, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    token_ids = torch.tensor([[0, 8, 9, 10, 2, 1, 1, 1]])
    boxes, tokens, centerness = program(image, token_ids)
    output = detector(normalize_pixels(image), token_ids, token_ids != detector.config.backbone.text.pad_id)
    labels = [[1, 2], [3]]
    [found] = GroundingPostProcessor(detector.config, EVERYTHING)(output, [(HEIGHT, WIDTH)], [labels])
    scores = torch.stack([(tokens[0][:, label].mean(dim=1) * centerness[0]).sqrt() for label in labels])  # Y A
    boxes = clip_to_image(boxes[0], (HEIGHT, WIDTH))
    assert scores.numel() == len(found.scores) > 100 and scores.std() > 0.01
    assert torch.allclose(scores.flatten().sort(descending=True).values, found.scores, atol=1e-5)
    for box, score, label in zip(*(part[:20] for part in found), strict=True):
        near = (scores[label] - score).abs() < 1e-5
        assert (boxes[near] - box).abs().amax(dim=1).min() < 1e-2


@pytest.mark.slow
def test_a_detector_runs_in_a_process_that_knows_torchvision_alone(detector: GroundedDetector, tmp_path: Path) -> None:
    file = tmp_path / "detector.pt2"
    torch.export.save(export_detector(detector, height=HEIGHT, width=WIDTH), file)
    code = (
        "import sys, torch, torchvision\n"
        f"program = torch.export.load({str(file)!r}).module()\n"
        f"found = program(torch.zeros(1, 3, {HEIGHT}, {WIDTH}, dtype=torch.uint8), torch.full((1, 8), 4))\n"
        "print(found[0].shape[-1], any(name.startswith('fiber') for name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.stdout.strip() == "4 False", result.stderr[-500:]


def test_sizes_that_are_no_whole_tokens_are_refused(detector: GroundedDetector) -> None:
    with pytest.raises(UserError, match="image_height=100 image_width=64: give multiples of 32"):
        export_detector(detector, height=100, width=64)
