"""Training and validation batches of image-text pairs for Lightning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fiber.data.batch import PairBatch, SampleKey
from fiber.data.coarse_data_config import CoarseDataConfig
from fiber.data.collate import PairCollator
from fiber.data.data_module import TrainingDataModule
from fiber.data.mixture import Mixture
from fiber.data.pair_dataset import PairDataset
from fiber.data.readers.base import CaptionReader
from fiber.data.tokenization import TextTokenizer


@dataclass(frozen=True, kw_only=True)
class PairDataConfig(CoarseDataConfig):
    """How pairs become batches; hard negatives of the validation are drawn within its batches."""

    mlm_probability: float = 0.15
    """Share of tokens selected for masked language modelling."""


class PairDataModule(TrainingDataModule):
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
        self.config = config
        transform = config.transform()
        sources = [
            PairDataset(
                reader, transform=transform, seed=config.seed, training=True, max_samples=config.max_train_samples
            )
            for reader in train
        ]
        collator = PairCollator(
            tokenizer,
            max_text_length=config.max_text_length,
            mlm_probability=config.mlm_probability,
            seed=config.seed,
        )
        super().__init__(
            config,
            train=Mixture(sources, weights=weights),
            val=[PairDataset(val, transform=config.val_transform(), seed=config.seed, training=False)],
            collate=collator,
            val_collate=collator,
        )

    def load_pairs(self, keys: Sequence[SampleKey]) -> Iterator[PairBatch]:
        """Read given training pairs again, in order, in batches of `batch_size`."""
        size = self.config.batch_size
        batches = [list(keys[start : start + size]) for start in range(0, len(keys), size)]
        yield from self.loader(self.train_samples, batches, self.collate)
