"""How each kind of model is built from its description, and what the original calls its tensors."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import nn

from fiber.checkpoints.model_description import CoarseDescription, DetectorDescription, ModelDescription, ModelKind
from fiber.checkpoints.original_coarse import (
    TensorName,
    captioning_names,
    pretraining_names,
    question_answering_names,
    retrieval_names,
    visual_reasoning_names,
)
from fiber.checkpoints.original_fine import detector_names
from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.pretraining_model import FiberForPretraining
from fiber.models.question_answering_model import FiberForQuestionAnswering
from fiber.models.retrieval_model import FiberForRetrieval
from fiber.models.visual_reasoning_model import FiberForVisualReasoning


class CoarseKind(NamedTuple):
    """A kind of model of the coarse stage."""

    build: Callable[[CoarseDescription], nn.Module]
    original_names: Callable[[FusionConfig], tuple[TensorName, ...]]
    task: str
    """That trains it: `task=`."""


def build_question_answering(description: CoarseDescription) -> nn.Module:
    """With a classifier over as many answers as described."""
    assert description.num_answers is not None  # every writer of such a description counts them
    return FiberForQuestionAnswering(description.backbone, num_answers=description.num_answers)


COARSE_KINDS: Mapping[ModelKind, CoarseKind] = {
    ModelKind.PRETRAINING: CoarseKind(
        lambda description: FiberForPretraining(description.backbone), pretraining_names, "pretrain"
    ),
    ModelKind.RETRIEVAL: CoarseKind(
        lambda description: FiberForRetrieval(description.backbone), retrieval_names, "retrieval"
    ),
    ModelKind.QUESTION_ANSWERING: CoarseKind(build_question_answering, question_answering_names, "vqa"),
    ModelKind.VISUAL_REASONING: CoarseKind(
        lambda description: FiberForVisualReasoning(description.backbone), visual_reasoning_names, "nlvr2"
    ),
    ModelKind.CAPTIONING: CoarseKind(
        lambda description: FiberForCaptioning(description.backbone), captioning_names, "caption"
    ),
}


def build_model(description: ModelDescription) -> nn.Module:
    """The network with random weights."""
    if isinstance(description, DetectorDescription):
        return GroundedDetector(description.detector)
    return COARSE_KINDS[description.kind].build(description)


def original_names(description: ModelDescription) -> Sequence[TensorName]:
    """The original's name of every tensor of the model that it has."""
    if isinstance(description, DetectorDescription):
        return detector_names(description.detector)
    return COARSE_KINDS[description.kind].original_names(description.backbone)


def kind_of_task(stage: str, task: str) -> ModelKind | None:
    """The kind of model that a run of `stage` and `task` trains; None where the task is none of the library's."""
    if stage == "fine":
        return ModelKind.DETECTOR
    return next((kind for kind, entry in COARSE_KINDS.items() if entry.task == task), None)
