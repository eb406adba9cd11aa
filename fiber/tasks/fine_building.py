"""Fine pre-training from its configuration."""

from omegaconf import DictConfig

from fiber.checkpoints.coarse_initialization import initialize_from_coarse
from fiber.checkpoints.initialization import find_checkpoint_file
from fiber.checkpoints.model_configs import build_detector_config
from fiber.data.grounding_data_module import FineDataConfig, build_grounding_data
from fiber.data.readers.task_readers import BoxReader, DetectionReader, GroundingReader
from fiber.data.tokenization import TextTokenizer
from fiber.detection.prompt_chunks import chunk_classes
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.objectives.grounding import GroundingCriterion, GroundingCriterionConfig
from fiber.tasks.box_validation import BoxValidator, DetectionValidator, GroundingValidator
from fiber.tasks.building import (
    READER_KEYS,
    RunParts,
    build_reader,
    build_tokenizer,
    load_published_weights,
)
from fiber.tasks.fine_pretraining import FinePretraining
from fiber.tasks.optimizer import FineOptimizationConfig
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError


def optimization_config(config: DictConfig) -> FineOptimizationConfig:
    """The recipe between gradients and weights."""
    return build_dataclass(FineOptimizationConfig, plain(config.optimization), "optimization")


def build_fine_pretraining(config: DictConfig, trainer: TrainerConfig, *, resuming: bool) -> RunParts:
    """Task and data.

    Args:
        config: composed from `configs/train.yaml` with `stage=fine`.
        trainer: the part of it that depends on the hardware.
        resuming: weights will come from a checkpoint.
    """
    if trainer.compile:
        raise UserError(
            "trainer.compile=true: images of the fine stage vary in size, each a graph of its own: leave it."
        )
    source = find_checkpoint_file(config.init_from)
    train = [build_box_reader(reader) for reader in config.data.train]
    val = [build_box_reader(reader) for reader in config.data.val]
    tokenizer = build_tokenizer(config.tokenizer, train, source=source)
    detector = build_detector_config(config, vocab_size=tokenizer.vocab_size)
    data_module = build_grounding_data(
        fine_data_config(config, trainer, detector),
        train=train,
        val=val,
        tokenizer=tokenizer,
        weights=config.data.weights,
    )
    model = GroundedDetector(detector)
    initialization = None
    if not resuming and source is not None:
        initialization = initialize_from_coarse(model, model.backbone, source)
    elif not resuming:
        load_published_weights(model.backbone, config.model)
    criterion = build_dataclass(GroundingCriterionConfig, plain(config.objective), "objective")
    task = FinePretraining(
        model,
        criterion=GroundingCriterion(detector, criterion),
        optimization=optimization_config(config),
        tokenizer=tokenizer,
        validators=[build_validator(reader, tokenizer, detector) for reader in val],
        frozen_stages=config.frozen_stages,
    )
    return RunParts(task, data_module, initialization)


def build_box_reader(config: DictConfig) -> BoxReader:
    """A reader of images with boxes."""
    return build_reader(config, BoxReader, wanted="boxes")  # type: ignore[type-abstract]


def fine_data_config(config: DictConfig, trainer: TrainerConfig, detector: DetectorConfig) -> FineDataConfig:
    """How samples become batches."""
    values = {key: value for key, value in plain(config.data).items() if key not in (*READER_KEYS, "dataset")}
    values |= {"batch_size": trainer.batch_size, "num_workers": trainer.num_workers, "seed": config.seed}
    values |= {"text_budget": detector.text_budget, "transform": plain(config.transform)}
    return build_dataclass(FineDataConfig, values, "data")


def build_validator(reader: BoxReader, tokenizer: TextTokenizer, detector: DetectorConfig) -> BoxValidator:
    """How a validation set is judged."""
    if isinstance(reader, GroundingReader):
        return GroundingValidator()
    assert isinstance(reader, DetectionReader)
    chunks = chunk_classes(reader.class_prompts, count_tokens=tokenizer.count, token_budget=detector.text_budget)
    return DetectionValidator(reader.classes, chunks)
