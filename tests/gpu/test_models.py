"""A GPU computes what the CPU computes."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor

from fiber.data.normalization import normalize_pixels
from fiber.detection.postprocessing import GroundingPostProcessor, PostProcessingConfig
from fiber.generation.beam_search import BeamSearchConfig, beam_search
from fiber.generation.caption_decoder import CaptionDecoder
from fiber.generation.vocabulary import CaptionVocabulary
from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.pairs import RawPairs
from fiber.objectives.passes import PretrainingInputs
from fiber.objectives.pretraining import PretrainingObjective, PretrainingObjectiveConfig
from fiber.tasks.acceleration import compile_backbone

pytestmark = pytest.mark.gpu
NUM_PAIRS, LENGTH, SIDE = 4, 10, 128


def random_pairs() -> PretrainingInputs:
    """Images, texts, the same with masked words, and keys; equal at every call."""
    torch.manual_seed(1)
    ids = torch.randint(4, 49, (NUM_PAIRS, LENGTH))
    selected = torch.rand(ids.shape) < 0.3
    image = torch.randint(0, 256, (NUM_PAIRS, 3, SIDE, SIDE), dtype=torch.uint8)
    return PretrainingInputs(
        RawPairs(image, ids, torch.ones_like(ids, dtype=torch.bool)),
        torch.where(selected, 49, ids),
        torch.where(selected, ids, -100),
        torch.arange(NUM_PAIRS)[:, None].expand(-1, 2),
    )


def moved(inputs: PretrainingInputs, device: torch.device) -> PretrainingInputs:
    pairs, *others = inputs
    parts = (pairs.image, pairs.text_ids, pairs.text_mask)
    return PretrainingInputs(RawPairs(*(part.to(device) for part in parts)), *(part.to(device) for part in others))


def test_pre_training_has_the_losses_and_gradients_of_the_cpu(
    cuda: torch.device, tiny_model: FiberForPretraining
) -> None:
    objective = PretrainingObjective(PretrainingObjectiveConfig(queue_size=0), normalize=double_pixels)
    twin = deepcopy(tiny_model).to(cuda)
    losses = []
    for model, inputs in ((tiny_model, random_pairs()), (twin, moved(random_pairs(), cuda))):
        found = objective(model, inputs, step=0).losses
        found.total().backward()
        losses.append(found.total().detach().cpu())
    assert torch.allclose(losses[0], losses[1], rtol=1e-9)
    for (name, own), other in zip(tiny_model.named_parameters(), twin.parameters(), strict=True):
        if own.grad is not None:
            assert other.grad is not None
            assert torch.allclose(own.grad, other.grad.cpu(), rtol=1e-6, atol=1e-9), name


def double_pixels(image: Tensor) -> Tensor:
    return normalize_pixels(image, torch.float64)


def test_mixed_precision_stays_near_full_precision(cuda: torch.device, tiny_config: FusionConfig) -> None:
    torch.manual_seed(0)
    model = FiberForPretraining(tiny_config).to(cuda)
    objective = PretrainingObjective(PretrainingObjectiveConfig(queue_size=0), normalize=normalize_pixels)
    totals = []
    for enabled in (False, True):
        with torch.autocast("cuda", torch.bfloat16, enabled=enabled):
            totals.append(objective(model, moved(random_pairs(), cuda), step=0).losses.total())
    assert abs(totals[0] - totals[1]) < 0.02 * abs(totals[0])


def test_a_detector_finds_what_it_finds_on_the_cpu(cuda: torch.device, tiny_detector: GroundedDetector) -> None:
    torch.manual_seed(1)
    pixels = torch.randn(2, 3, 96, 128, dtype=torch.float64)
    ids = torch.randint(4, 49, (2, tiny_detector.config.text_budget))
    labels = [[[1, 2], [4]], [[3], [5, 6]]]
    found = []
    for device in (torch.device("cpu"), cuda):
        model = deepcopy(tiny_detector).to(device)
        with torch.no_grad():
            image, text = model.encode_image(pixels.to(device)), model.encode_text(ids.to(device), ids.to(device) > 0)
            output = model.detect(image, text)
        found.append(
            GroundingPostProcessor(model.config, PostProcessingConfig(score_threshold=0.001))(
                output, [(96, 128)] * 2, labels
            )
        )
    assert sum(len(one.scores) for one in found[0]) > 10
    for own, other in zip(*found, strict=True):
        assert torch.allclose(own.boxes, other.boxes.cpu(), atol=1e-6)
        assert torch.equal(own.labels, other.labels.cpu())


def test_beam_search_writes_the_captions_of_the_cpu(cuda: torch.device, captioner: FiberForCaptioning) -> None:
    torch.manual_seed(1)
    pixels = torch.randn(3, 3, SIDE, SIDE, dtype=torch.float64)
    vocabulary = CaptionVocabulary(bos_id=0, pad_id=1, eos_id=2, mask_id=49)
    words = []
    for device in (torch.device("cpu"), cuda):
        model = deepcopy(captioner).eval().to(device)
        with torch.no_grad():
            decoder = CaptionDecoder(model, model.read_image(pixels.to(device)))
            captions = beam_search(decoder, vocabulary, BeamSearchConfig(max_tokens=8, num_beams=3))
        words.append(captions.words(vocabulary))
    assert words[0] == words[1]


def test_the_compiled_backbone_is_the_eager_one(cuda: torch.device) -> None:
    torch.manual_seed(0)
    config = FusionConfig(
        image=SwinConfig(embed_dim=32, depths=(1, 1, 3, 1), num_heads=(1, 2, 4, 8), window_size=4, drop_path=0.0),
        text=RobertaConfig(
            hidden_size=64, num_layers=4, num_heads=4, intermediate_size=128, vocab_size=50, dropout=0.0
        ),
        num_fusion_layers=3,
        projection_size=64,
        initializer_std=0.1,
    )
    backbone = FusionBackbone(config).to(cuda).eval()
    pixels = torch.randn(2, 3, SIDE, SIDE, device=cuda)
    ids = torch.randint(4, 49, (2, LENGTH), device=cuda)

    def run() -> Tensor:
        image, text = backbone.encode_image(pixels), backbone.encode_text(ids, ids > 0)
        return backbone.fuse(image, text).text

    with torch.no_grad():
        eager = run()
        compile_backbone(backbone)
        assert torch.allclose(eager, run(), atol=1e-4)
