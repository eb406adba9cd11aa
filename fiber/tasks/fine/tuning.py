"""How much of a detector is trained on a new set of images."""

from collections.abc import Iterator
from enum import StrEnum

from torch import nn

from fiber.models.grounded_detector import GroundedDetector
from fiber.models.grounding_head import GroundingHead
from fiber.tasks.fine.freezing import freeze_others
from fiber.utils.errors import UserError


class Tuning(StrEnum):
    """The ways of FIBER's experiments on ODinW, from everything to a few numbers per token."""

    FULL = "full"
    LINEAR_PROBE = "linear_probe"
    """The head's last layers: boxes, centerness, and the alignment with words."""
    TEXT = "text"
    """The text backbone, its attention to the image included (the original's `language_prompt_v1`)."""
    PROMPT = "prompt"
    """Offsets of the prompt (`language_prompt_v2`)."""
    TEXT_AND_PROBE = "text_and_probe"
    """`language_prompt_v3`."""
    PROMPT_AND_PROBE = "prompt_and_probe"
    """`language_prompt_v4`."""

    @property
    def trains_probe(self) -> bool:
        return self in (Tuning.LINEAR_PROBE, Tuning.TEXT_AND_PROBE, Tuning.PROMPT_AND_PROBE)

    @property
    def trains_text(self) -> bool:
        return self in (Tuning.TEXT, Tuning.TEXT_AND_PROBE)

    @property
    def trains_prompt(self) -> bool:
        """Whether the model needs `DetectorConfig.prompt_offsets`."""
        return self in (Tuning.PROMPT, Tuning.PROMPT_AND_PROBE)


def restrict_training(model: GroundedDetector, tuning: Tuning) -> None:
    """Take what `tuning` leaves alone out of training, with the chance in it, in place.

    What was frozen before stays so: `full` changes nothing.

    Raises:
        UserError: the prompt is to be tuned, and the model has no offsets.
    """
    if tuning.trains_prompt and model.prompt_offsets is None:
        raise UserError(
            f"tuning={tuning}: this detector has no prompt offsets: give detector.prompt_offsets=true with it."
        )
    if tuning is not Tuning.FULL:
        freeze_others(model, list(trained_parameters(model, tuning)))


def trained_parameters(model: GroundedDetector, tuning: Tuning) -> Iterator[nn.Parameter]:
    """What a way other than `full` trains."""
    if tuning.trains_probe:
        yield from predictor_parameters(model.head)
    if tuning.trains_text:
        yield from model.backbone.text.parameters()
    if tuning.trains_prompt:
        assert model.prompt_offsets is not None
        yield model.prompt_offsets


def predictor_parameters(head: GroundingHead) -> Iterator[nn.Parameter]:
    """All of the head behind its blocks: layers, scales of the levels, biases and the temperature."""
    for layer in (head.box, head.centerness, head.text_projection):
        yield from layer.parameters()
    yield from head.parameters(recurse=False)
