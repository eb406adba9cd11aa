"""Training and validation batches of image-text pairs for Lightning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from fiber.data.batch import PairBatch, SampleKey
from fiber.data.collate import PairCollator
from fiber.data.mixture import Mixture
from fiber.data.pair_batch_sampler import EvaluationBatchSampler, TrainingBatchSampler
from fiber.data.pair_dataset import PairDataset
from fiber.data.readers.base import CaptionReader
from fiber.data.tokenization import TextTokenizer
from fiber.data.transforms import PixelTransform, RandAugmentTransform, ResizeTransform


class Augmentation(StrEnum):
    """Transforms of training images."""

    RESIZE = "resize"
    RANDAUGMENT = "randaugment"

    def build(self, image_size: int) -> PixelTransform:
        kinds = {Augmentation.RESIZE: ResizeTransform, Augmentation.RANDAUGMENT: RandAugmentTransform}
        return kinds[self](image_size)


@dataclass(frozen=True, kw_only=True)
class PairDataConfig:
    """How pairs become batches."""

    image_size: int
    """Side in pixels, a multiple of 32."""
    max_text_length: int
    """Tokens per text, special ones included."""
    batch_size: int
    """Training pairs per process and micro-batch."""
    val_batch_size: int = 32
    """Validation pairs per batch; hard negatives of the validation are drawn within it."""
    augmentation: Augmentation = Augmentation.RESIZE
    mlm_probability: float = 0.15
    """Share of tokens selected for masked language modelling."""
    max_broken: float = 0.01
    """Share of training samples with a broken image above which the run stops."""
    max_train_pairs: int | None = None
    """Learn only from the first so many pairs of every training set."""
    num_workers: int = 0
    """Reading processes per training process."""
    seed: int = 0


class PairDataModule(pl.LightningDataModule):
    """Batches from readers.

    Args:
        config: how pairs become batches.
        train: readers to learn from.
        val: reader to validate on.
        tokenizer: of the captions.
        weights: share of draws of each training reader; None draws every pair once per epoch.
    """

    def __init__(
        self,
        config: PairDataConfig,
        *,
        train: Sequence[CaptionReader],
        val: CaptionReader,
        tokenizer: TextTokenizer,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        transform = config.augmentation.build(config.image_size)
        sources = [
            PairDataset(reader, transform=transform, seed=config.seed, training=True, max_pairs=config.max_train_pairs)
            for reader in train
        ]
        self.train_pairs = Mixture(sources, weights=weights)
        resize = ResizeTransform(config.image_size)
        self.val_pairs = PairDataset(val, transform=resize, seed=config.seed, training=False)
        self.collator = PairCollator(
            tokenizer,
            max_text_length=config.max_text_length,
            mlm_probability=config.mlm_probability,
            seed=config.seed,
        )
        self.start_epoch = 0
        self.start_batch = 0

    def resume_at(self, *, epoch: int, batch: int) -> None:
        """Begin the next training loader at a batch of an epoch, both counted from 0."""
        self.start_epoch, self.start_batch = epoch, batch

    def check_size(self, world_size: int) -> None:
        """Raise a UserError if the training or the validation data make no batch for every process."""
        TrainingBatchSampler(self.train_pairs, batch_size=self.config.batch_size, seed=0, world_size=world_size)
        EvaluationBatchSampler(len(self.val_pairs), batch_size=1, world_size=world_size)

    @property
    def rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def train_dataloader(self) -> DataLoader[PairBatch]:
        sampler = TrainingBatchSampler(
            self.train_pairs,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            rank=self.rank,
            world_size=self.world_size,
        )
        finished = self.start_batch >= len(sampler)  # the interruption came after the epoch's last batch
        sampler.set_epoch(self.start_epoch + finished)
        sampler.start_batch = 0 if finished else self.start_batch
        return self.loader(self.train_pairs, sampler)

    def val_dataloader(self) -> DataLoader[PairBatch]:
        sampler = EvaluationBatchSampler(
            len(self.val_pairs), batch_size=self.config.val_batch_size, rank=self.rank, world_size=self.world_size
        )
        return self.loader(self.val_pairs, sampler)

    def load_pairs(self, keys: Sequence[SampleKey]) -> Iterator[PairBatch]:
        """Read given training pairs again, in order, in batches of `batch_size`."""
        size = self.config.batch_size
        batches = [list(keys[start : start + size]) for start in range(0, len(keys), size)]
        yield from self.loader(self.train_pairs, batches)

    def loader(
        self,
        pairs: Mixture | PairDataset,
        batches: TrainingBatchSampler | EvaluationBatchSampler | list[list[SampleKey]],
    ) -> DataLoader[PairBatch]:
        return DataLoader(
            pairs,  # type: ignore[arg-type]
            batch_sampler=batches,
            collate_fn=self.collator,
            num_workers=self.config.num_workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.config.num_workers > 0 and not isinstance(batches, list),
        )
