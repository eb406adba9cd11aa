"""Training batches that resume where they stopped, and validation batches, for Lightning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from fiber.data.batch import SampleKey
from fiber.data.batch_sampler import EvaluationBatchSampler, TrainingBatchSampler
from fiber.data.mixture import Mixture

Collate = Callable[[Any], Any]
Batches = TrainingBatchSampler | EvaluationBatchSampler | list[list[SampleKey]]


@dataclass(frozen=True, kw_only=True)
class LoaderConfig:
    """How samples are read."""

    batch_size: int
    """Training samples per process and micro-batch."""
    val_batch_size: int
    """Validation samples per batch."""
    num_workers: int = 0
    """Reading processes per training process."""
    seed: int = 0


class EvaluationDataModule(pl.LightningDataModule):
    """Loaders over any number of sets to be judged on.

    Args:
        config: how samples are read.
        val: sets of samples.
        val_collate: samples to a batch.
        even: processes judge as many batches as each other (`EvaluationBatchSampler`).
    """

    def __init__(
        self, config: LoaderConfig, *, val: Sequence[Dataset[Any]], val_collate: Collate, even: bool = True
    ) -> None:
        super().__init__()
        self.even = even
        self.loading = config
        self.val_samples = list(val)
        self.val_collate = val_collate

    def check_size(self, world_size: int, *, accumulate: int = 1) -> None:
        """Raise a UserError if the data make no batch for every process."""
        for samples in self.val_samples:
            EvaluationBatchSampler(len(samples), batch_size=1, world_size=world_size)  # type: ignore[arg-type]

    @property
    def rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def val_dataloader(self) -> list[DataLoader[Any]]:
        return [self.loader(samples, self.val_batches(samples), self.val_collate) for samples in self.val_samples]

    def val_batches(self, samples: Dataset[Any]) -> EvaluationBatchSampler:
        return EvaluationBatchSampler(
            len(samples),  # type: ignore[arg-type]
            batch_size=self.loading.val_batch_size,
            rank=self.rank,
            world_size=self.world_size,
            even=self.even,
        )

    def loader(self, samples: Dataset[Any], batches: Batches, collate: Collate) -> DataLoader[Any]:
        return DataLoader(
            samples,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=self.loading.num_workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.loading.num_workers > 0 and not isinstance(batches, list),
        )


class TrainingDataModule(EvaluationDataModule):
    """Loaders over a training mixture and any number of validation sets.

    Args:
        config: how samples are read.
        train: samples to learn from.
        val: sets of samples to validate on.
        collate: samples to a training batch.
        val_collate: samples to a validation batch.
        even: as for `EvaluationDataModule`.
        groups: group of every training sample; batches hold one group each (`TrainingBatchSampler`).
    """

    def __init__(
        self,
        config: LoaderConfig,
        *,
        train: Mixture[Any],
        val: Sequence[Dataset[Any]],
        collate: Collate,
        val_collate: Collate,
        even: bool = True,
        groups: NDArray[np.integer] | None = None,
    ) -> None:
        super().__init__(config, val=val, val_collate=val_collate, even=even)
        self.train_samples = train
        self.collate = collate
        self.groups = groups
        self.start_epoch = 0
        self.start_batch = 0

    def resume_at(self, *, epoch: int, batch: int) -> None:
        """Begin the next training loader at a batch of an epoch, both counted from 0."""
        self.start_epoch, self.start_batch = epoch, batch

    def check_size(self, world_size: int, *, accumulate: int = 1) -> None:
        """Raise a UserError if the training data make no optimiser step, or the validation data too few batches."""
        TrainingBatchSampler(
            self.train_samples,
            batch_size=self.loading.batch_size,
            seed=0,
            world_size=world_size,
            accumulate=accumulate,
        )
        super().check_size(world_size)

    def train_dataloader(self) -> DataLoader[Any]:
        sampler = TrainingBatchSampler(
            self.train_samples,
            batch_size=self.loading.batch_size,
            seed=self.loading.seed,
            rank=self.rank,
            world_size=self.world_size,
            accumulate=self.trainer.accumulate_grad_batches if self.trainer else 1,
            groups=self.groups,
        )
        finished = self.start_batch >= len(sampler)  # the interruption came after the epoch's last batch
        sampler.set_epoch(self.start_epoch + finished)
        sampler.start_batch = 0 if finished else self.start_batch
        return self.loader(self.train_samples, sampler, self.collate)
