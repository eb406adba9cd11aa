"""Training and validation batches of images with texts and boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fiber.data.box_annotations import BoxAnnotations, CaptionAnnotations, PromptAnnotations
from fiber.data.data_module import LoaderConfig, TrainingDataModule
from fiber.data.evaluation_dataset import DetectionEvaluation, EvaluationDataset, GroundingEvaluation
from fiber.data.grounding_collate import GroundingCollator, collate_evaluation
from fiber.data.grounding_dataset import GroundingDataset
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig
from fiber.data.mixture import Mixture
from fiber.data.readers.task_readers import BoxReader, DetectionReader, GroundingReader
from fiber.data.tokenization import TextTokenizer
from fiber.detection.prompt_sampling import AllClassesPrompter, NegativeSampling, PromptSampler, PromptSource


@dataclass(frozen=True, kw_only=True)
class FineDataConfig(LoaderConfig):
    """How images with boxes become batches."""

    text_budget: int
    """Tokens per text at most, special ones included."""
    val_batch_size: int = 1
    """Images; padding to a common size changes what a model sees of the smaller ones a little."""
    transform: GroundingTransformConfig = field(default_factory=GroundingTransformConfig)
    val_short_side: int = 800
    """Pixels."""
    negatives: NegativeSampling = field(default_factory=NegativeSampling)
    """Which absent classes the prompt of a detection image names."""
    all_classes: bool = False
    """Name every class of a detection set in every prompt, instead of sampled ones."""
    max_broken: float = 0.01
    """Share of training samples with a broken image above which the run stops."""
    max_train_samples: int | None = None
    """Learn only from the first so many samples of every training set."""
    max_val_samples: int | None = None
    """Validate only on the first so many samples of every set."""

    @property
    def val_transform(self) -> GroundingTransformConfig:
        return replace(self.transform, short_sides=(self.val_short_side,), flip_probability=0.0)


def build_grounding_data(
    config: FineDataConfig,
    *,
    train: Sequence[BoxReader],
    val: Sequence[BoxReader],
    tokenizer: TextTokenizer,
    weights: Sequence[float] | None = None,
) -> TrainingDataModule:
    """Batches from readers.

    Args:
        config: how samples become batches.
        train: readers to learn from.
        val: readers to validate on.
        tokenizer: of the texts.
        weights: share of draws of each training reader; None draws every sample once per epoch.
    """
    sources = [
        GroundingDataset(
            annotations_of(reader, config, tokenizer),
            transform=GroundingTransform(config.transform),
            seed=config.seed,
            max_samples=config.max_train_samples,
        )
        for reader in train
    ]
    return TrainingDataModule(
        config,
        train=Mixture(sources, weights=weights),
        val=[evaluation_of(reader, config) for reader in val],
        collate=GroundingCollator(tokenizer, text_budget=config.text_budget),
        val_collate=collate_evaluation,
        groups=np.concatenate([source.aspect_groups() for source in sources]),
    )


def annotations_of(reader: BoxReader, config: FineDataConfig, tokenizer: TextTokenizer) -> BoxAnnotations:
    """Texts and boxes of a reader."""
    if isinstance(reader, GroundingReader):
        return CaptionAnnotations(reader)
    assert isinstance(reader, DetectionReader)
    return PromptAnnotations(reader, prompts_of(reader, config, tokenizer))


def prompts_of(reader: DetectionReader, config: FineDataConfig, tokenizer: TextTokenizer) -> PromptSource:
    """How a detection set's images are asked about."""
    if config.all_classes:
        return AllClassesPrompter(
            reader.class_prompts,
            count_tokens=tokenizer.count,
            shuffle=config.negatives.shuffle,
            token_budget=config.text_budget,
            separator=config.negatives.separator,
        )
    sampling = replace(config.negatives, token_budget=config.text_budget)
    return PromptSampler(reader.classes, sampling, count_tokens=tokenizer.count)


def evaluation_of(reader: BoxReader, config: FineDataConfig) -> EvaluationDataset:
    """A reader's images to be judged on."""
    kinds = {GroundingReader: GroundingEvaluation, DetectionReader: DetectionEvaluation}
    kind = next(kind for base, kind in kinds.items() if isinstance(reader, base))
    return kind(reader, transform=GroundingTransform(config.val_transform), max_samples=config.max_val_samples)
