"""What retrieval contributes to a run."""

from collections.abc import Callable, Sequence
from typing import Any

from fiber.checkpoints.original_coarse import TensorName, retrieval_names
from fiber.data.matching_pairs import MatchingPairs
from fiber.data.pair_dataset import PairDataset
from fiber.data.readers.base import CaptionReader
from fiber.data.retrieval_batch import GalleryBatch, GallerySample
from fiber.data.retrieval_collate import RetrievalCollator, collate_gallery
from fiber.data.retrieval_gallery import GalleryImages, GalleryTexts
from fiber.models.config import FusionConfig
from fiber.models.retrieval_model import FiberForRetrieval
from fiber.objectives.retrieval import MatchingNegatives, RetrievalObjectiveConfig
from fiber.tasks.coarse.retrieval.evaluator import RetrievalEvaluator
from fiber.tasks.coarse.retrieval.rankings import RetrievalEvaluationConfig
from fiber.tasks.coarse.retrieval.task import RetrievalFineTuning
from fiber.tasks.coarse.task_builder import TaskBuilder
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.split_evaluator import Evaluator
from fiber.utils.configs import build_dataclass, plain


class RetrievalBuilder(TaskBuilder):
    """Captioned images."""

    reader_kind = CaptionReader
    wanted = "captions"
    has_evaluation_options = True

    @property
    def objective(self) -> RetrievalObjectiveConfig:
        """Which losses; only training asks for it."""
        return build_dataclass(RetrievalObjectiveConfig, plain(self.config.objective), "objective")

    def model(self, sizes: FusionConfig) -> FiberForRetrieval:
        return FiberForRetrieval(sizes)

    def original_names(self, sizes: FusionConfig) -> Sequence[TensorName]:
        return retrieval_names(sizes)

    def training_samples(self, reader: CaptionReader) -> MatchingPairs:
        pairs = PairDataset(
            reader,
            transform=self.data.transform(),
            seed=self.data.seed,
            training=True,
            max_samples=self.data.max_train_samples,
        )
        return MatchingPairs(pairs, random_negatives=self.objective.matching is MatchingNegatives.RANDOM)

    def evaluation_samples(self, reader: CaptionReader) -> GalleryImages:
        return GalleryImages(reader, transform=self.data.val_transform())

    def collator(self) -> RetrievalCollator:
        return RetrievalCollator(self.tokenizer, max_text_length=self.data.max_text_length)

    def evaluation_collator(self) -> Callable[[Sequence[GallerySample]], GalleryBatch]:
        return collate_gallery

    def evaluator(self, reader: CaptionReader) -> RetrievalEvaluator:
        config = build_dataclass(RetrievalEvaluationConfig, plain(self.config.evaluation), "evaluation")
        texts = GalleryTexts.read(reader, self.tokenizer, max_text_length=self.data.max_text_length)
        return RetrievalEvaluator(texts, config)

    def task(
        self, model: FiberForRetrieval, *, optimization: OptimizationConfig, evaluator: Evaluator, train: Sequence[Any]
    ) -> RetrievalFineTuning:
        assert isinstance(evaluator, RetrievalEvaluator)
        return RetrievalFineTuning(
            model,
            objective=self.objective,
            optimization=optimization,
            tokenizer=self.tokenizer,
            evaluator=evaluator,
            seed=self.data.seed,
        )
