"""The description of a run's model, from the configuration of the run."""

from dataclasses import fields

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fiber.checkpoints.model_configs import build_detector_config, build_model_config
from fiber.checkpoints.model_description import CoarseDescription, DetectorDescription, ModelDescription, ModelKind
from fiber.checkpoints.model_kinds import kind_of_task
from fiber.checkpoints.run_folder import ANSWERS_FILE
from fiber.data.grounding_data_module import VAL_SHORT_SIDE
from fiber.data.transforms import STRIDE
from fiber.generation.caption_generator import GenerationConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError


def describe_run(
    config: DictConfig, *, vocab_size: int, num_answers: int | None = None, where: str = "the run"
) -> ModelDescription:
    """What the model of a run is.

    Args:
        config: of the run.
        vocab_size: of its tokeniser.
        num_answers: of its vocabulary of answers, if it has one.
        where: the configuration's file, for messages.

    Raises:
        UserError: the run is of another stage or of a task whose model is none of the library's kinds, it has lost its
            answers, or its configuration is incomplete or out of range.
    """
    stage, task = config.stage.name, config.task.name
    kind = kind_of_task(stage, task) if stage in ("coarse", "fine") else None
    if kind is None:
        raise UserError(f"{where} is of stage={stage} task={task}, whose model this library cannot load by itself.")
    if kind is ModelKind.QUESTION_ANSWERING and num_answers is None:
        raise UserError(f"{where} is of task={task}, but lacks {ANSWERS_FILE} beside it: put back that of the run.")
    try:
        if kind is ModelKind.DETECTOR:
            return DetectorDescription(
                detector=build_detector_config(config, vocab_size=vocab_size),
                short_side=int(config.data.val_short_side or VAL_SHORT_SIDE),
                max_side=int(config.transform.max_side),
            )
        return CoarseDescription(
            kind=kind,
            backbone=build_model_config(
                config.model,
                default_window=config.image_size // STRIDE,
                max_text_length=config.max_text_length,
                vocab_size=vocab_size,
            ),
            image_size=config.image_size,
            max_text_length=config.max_text_length,
            num_answers=num_answers if kind is ModelKind.QUESTION_ANSWERING else None,
            generation=generation_of(config) if kind is ModelKind.CAPTIONING else GenerationConfig(),
        )
    except OmegaConfBaseException as error:
        raise UserError(f"{where} is not as a run of stage={stage} writes it: {str(error).splitlines()[0]}") from error


def generation_of(config: DictConfig) -> GenerationConfig:
    """How the run writes captions; what else its `evaluation` part says is about judging them."""
    known = {field.name for field in fields(GenerationConfig)}
    values = {key: value for key, value in plain(config.evaluation).items() if key in known}
    return build_dataclass(GenerationConfig, values, "evaluation")
