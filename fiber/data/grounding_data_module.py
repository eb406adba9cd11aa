"""Training and validation batches of images with texts and boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fiber.data.box_annotations import BoxAnnotations, CaptionAnnotations, PromptAnnotations
from fiber.data.class_wording import worded_classes
from fiber.data.data_module import LoaderConfig, TrainingDataModule
from fiber.data.evaluation_dataset import DetectionEvaluation, EvaluationDataset, GroundingEvaluation
from fiber.data.grounding_collate import GroundingCollator, collate_evaluation
from fiber.data.grounding_dataset import GroundingDataset
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig
from fiber.data.mixture import Mixture
from fiber.data.readers.task_readers import BoxReader, DetectionReader, GroundingReader
from fiber.data.tokenization import TextTokenizer
from fiber.detection.prompt_sampling import (
    AllClassesPrompter,
    NegativeSampling,
    PromptSampler,
    PromptSource,
    prompt_lengths,
)
from fiber.detection.prompts import ClassPrompt
from fiber.utils.errors import UserError

VAL_SHORT_SIDE = 800
"""Pixels of the shorter side of images that are judged."""
FEW_SHOT_COPIES: Mapping[int | None, int] = {1: 8, 3: 4, 5: 2}
"""By the number of shots; otherwise one."""


@dataclass(frozen=True, kw_only=True)
class FineDataConfig(LoaderConfig):
    """How images with boxes become batches."""

    text_budget: int
    """Tokens per text at most, special ones included."""
    val_batch_size: int = 1
    """Images; padding to a common size changes what a model sees of the smaller ones a little."""
    transform: GroundingTransformConfig = field(default_factory=GroundingTransformConfig)
    val_short_side: int | None = None
    """Pixels; None = 800."""
    negatives: NegativeSampling = field(default_factory=NegativeSampling)
    """Which absent classes the prompt of a detection image names."""
    all_classes: bool | None = False
    """Name every class of a detection set in every prompt, instead of sampled ones; None = if they fit in one."""
    max_broken: float = 0.01
    """Share of training samples with a broken image above which the run stops."""
    max_train_samples: int | None = None
    """Learn only from the first so many samples of every training set, or of its subset."""
    max_val_samples: int | None = None
    """Validate only on the first so many samples of every set."""
    shots: int | None = None
    """Learn from a subset that shows every class in so many images (`few_shot`); None = all."""
    shot_seed: int | None = None
    """Of the subset; None takes the first images by id, as the original does."""
    copies: int | None = None
    """Times that an epoch runs through the training samples; None = as the original does for so many shots."""
    prompts: Sequence[Any] | None = None
    """Words to ask for each class: texts, or name, prefix and suffix; None = the data set's."""

    def __post_init__(self) -> None:
        if self.copies is not None and self.copies < 1:
            raise UserError(f"data.copies={self.copies}: give 1 or more.")
        for key, limit in (("max_train_samples", self.max_train_samples), ("max_val_samples", self.max_val_samples)):
            if limit is not None and limit < 1:
                raise UserError(f"data.{key}={limit}: give 1 or more, or null for all.")

    @property
    def num_copies(self) -> int:
        """Times that an epoch runs through the training samples."""
        return FEW_SHOT_COPIES.get(self.shots, 1) if self.copies is None else self.copies

    @property
    def val_transform(self) -> GroundingTransformConfig:
        return replace(self.transform, short_sides=(self.val_short_side or VAL_SHORT_SIDE,), flip_probability=0.0)


def build_grounding_data(
    config: FineDataConfig,
    *,
    train: Sequence[BoxReader],
    val: Sequence[BoxReader],
    tokenizer: TextTokenizer,
    weights: Sequence[float] | None = None,
    subset: Sequence[int] | None = None,
    even: bool = False,
) -> TrainingDataModule:
    """Batches from readers.

    Args:
        config: how samples become batches.
        train: readers to learn from.
        val: readers to validate on.
        tokenizer: of the texts.
        weights: share of draws of each training reader; None draws every sample once per epoch.
        subset: samples to use of every training reader; None = the first `config.max_train_samples`.
        even: processes validate as many batches as each other, which may put images together that one process would
            not, and so pad them otherwise.
    """
    sources = [
        GroundingDataset(
            annotations_of(reader, config, tokenizer),
            transform=GroundingTransform(config.transform),
            seed=config.seed,
            indices=range(len(reader))[: config.max_train_samples] if subset is None else subset,
        )
        for reader in train
    ] * config.num_copies
    return TrainingDataModule(
        config,
        train=Mixture(sources, weights=weights and list(weights) * config.num_copies),
        val=[evaluation_of(reader, config) for reader in val],
        collate=GroundingCollator(tokenizer, text_budget=config.text_budget),
        val_collate=collate_evaluation,
        even=even,
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
    words = class_prompts(reader, config)
    every = config.all_classes
    if every is None:
        lengths = prompt_lengths(words, count_tokens=tokenizer.count, shuffle=config.negatives.shuffle)
        every = all(length <= config.text_budget for length in lengths)
    if every:
        return AllClassesPrompter(
            words,
            count_tokens=tokenizer.count,
            shuffle=config.negatives.shuffle,
            token_budget=config.text_budget,
        )
    if config.prompts is not None:
        raise UserError("data.prompts words every class, but training samples classes: give data.all_classes=true.")
    sampling = replace(config.negatives, token_budget=config.text_budget)
    return PromptSampler(reader.classes, sampling, count_tokens=tokenizer.count)


def has_fixed_prompt(source: PromptSource) -> bool:
    """Whether every image is asked for the same words at the same places."""
    return isinstance(source, AllClassesPrompter) and not source.shuffle


def class_prompts(reader: DetectionReader, config: FineDataConfig) -> Sequence[str | ClassPrompt]:
    """Words to ask for each class.

    Raises:
        UserError: the user's are not as many as there are classes.
    """
    return worded_classes(reader.classes, reader.class_prompts, config.prompts, reader_name=reader.name)


def evaluation_of(reader: BoxReader, config: FineDataConfig) -> EvaluationDataset:
    """A reader's images to be judged on."""
    transform = GroundingTransform(config.val_transform)
    if isinstance(reader, GroundingReader):
        return GroundingEvaluation(reader, transform=transform, max_samples=config.max_val_samples)
    assert isinstance(reader, DetectionReader)
    return DetectionEvaluation(reader, transform=transform, max_samples=config.max_val_samples)
