"""What the original's classifiers compute: VQAv2 and NLVR2."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fiber.checkpoints.original_coarse import from_original, question_answering_names, visual_reasoning_names
from fiber.models.question_answering_model import FiberForQuestionAnswering
from fiber.models.visual_reasoning_model import FiberForVisualReasoning
from fiber.objectives.question_answering import question_answering_loss
from fiber.objectives.visual_reasoning import visual_reasoning_loss

if TYPE_CHECKING:
    from .test_coarse import Fixture


def question_answering_model(fixture: "Fixture") -> FiberForQuestionAnswering:
    num_answers = fixture.meta["config"]["vqa_labels"]
    model = FiberForQuestionAnswering(fixture.config, num_answers=num_answers).double().eval()
    model.load_state_dict(from_original(fixture.state, question_answering_names(fixture.config)))
    return model


def visual_reasoning_model(fixture: "Fixture") -> FiberForVisualReasoning:
    model = FiberForVisualReasoning(fixture.config).double().eval()
    model.load_state_dict(from_original(fixture.state, visual_reasoning_names(fixture.config)))
    return model


@torch.no_grad()
def classifier_entries(fixture: "Fixture") -> Iterator[tuple[str, Tensor]]:
    """Logits and losses of both tasks."""
    io = fixture.io
    mask = io["in/text_masks"].bool()
    logits = question_answering_model(fixture)(io["in/image"], io["in/text_ids"], mask)
    yield "out/vqa_logits", logits
    yield "out/vqa_loss", question_answering_loss(logits, io["in/vqa_targets"])
    images = torch.stack([io["in/image"], io["in/image2"]], dim=1)  # B 2 3 S S
    logits = visual_reasoning_model(fixture)(images, io["in/text_ids"], mask)
    yield "out/nlvr2_logits", logits
    yield "out/nlvr2_loss", visual_reasoning_loss(logits, io["in/nlvr2_answers"].bool())
