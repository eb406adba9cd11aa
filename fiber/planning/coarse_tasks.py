"""The tasks of the coarse stage without their data.

Axes: B samples, n captions written for an image, T tokens of each, P embedding width.
"""

from abc import abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiber.data.batch import PairBatch
from fiber.data.caption_batch import CaptionBatch
from fiber.data.normalization import normalize_pixels
from fiber.data.retrieval_batch import RetrievalBatch
from fiber.generation.caption_decoder import CaptionDecoder
from fiber.generation.captions import GeneratedCaptions
from fiber.generation.sampling import greedy_captions, sample_captions
from fiber.models.captioning_model import FiberForCaptioning, ImageMemory
from fiber.models.config import FusionConfig
from fiber.models.pretraining_model import FiberForPretraining
from fiber.models.question_answering_model import FiberForQuestionAnswering
from fiber.models.retrieval_model import FiberForRetrieval
from fiber.models.visual_reasoning_model import FiberForVisualReasoning
from fiber.objectives.caption_reward import Baseline, CaptionRewardConfig, CaptionRewardObjective
from fiber.objectives.captioning import CaptionInputs, CaptionObjective, LikelihoodObjective
from fiber.objectives.gold import GoldObjective
from fiber.objectives.pairs import DetachedEmbeddings, EmbeddedPairs
from fiber.objectives.pretraining import PretrainingObjectiveConfig
from fiber.objectives.retrieval import MatchingNegatives, RetrievalObjectiveConfig
from fiber.planning.planned_task import NoEvaluator, PlannedTask, any_tokenizer
from fiber.planning.workload import (
    Workload,
    caption_batch,
    pair_batch,
    question_batch,
    retrieval_batch,
    statement_batch,
)
from fiber.tasks.coarse.caption.objective import CaptionLoss, CaptionObjectiveConfig, caption_vocabulary
from fiber.tasks.coarse.caption.task import CaptionFineTuning
from fiber.tasks.coarse.fine_tuning import FineTuning
from fiber.tasks.coarse.fine_tuning_building import build_sizes
from fiber.tasks.coarse.nlvr2.task import Nlvr2FineTuning
from fiber.tasks.coarse.pretraining import CoarsePretraining, pretraining_inputs
from fiber.tasks.coarse.retrieval.task import RetrievalFineTuning, retrieval_inputs
from fiber.tasks.coarse.vqa.task import VqaFineTuning
from fiber.tasks.optimizer import CoarseOptimizationConfig
from fiber.utils.configs import build_dataclass, plain


class CoarseTask(PlannedTask):
    """A task of the coarse stage."""

    optimization_kind = CoarseOptimizationConfig

    @property
    def model_sizes(self) -> FusionConfig:
        """Of the backbone."""
        return build_sizes(self.config, vocab_size=self.sizes.vocab_size)


class PlannedPretraining(CoarseTask):
    """MLM, ITC and ITM, its queue full."""

    training: CoarsePretraining

    def build(self) -> CoarsePretraining:
        return CoarsePretraining(
            FiberForPretraining(self.model_sizes),
            objective=build_dataclass(PretrainingObjectiveConfig, plain(self.config.objective), "objective"),
            optimization=self.optimization,
            tokenizer=any_tokenizer(),
        )

    def batch(self, load: Workload) -> PairBatch:
        return pair_batch(load, self.sizes.vocab_size)

    def fill(self, load: Workload) -> None:
        queue = self.training.objective.queue
        if queue is None:
            return
        inputs = pretraining_inputs(self.batch(load))
        embeddings = unit_vectors(2, load.batch_size, self.model_sizes.projection_size)
        queue.enqueue(EmbeddedPairs(inputs.pairs, embeddings[0], embeddings[1], inputs.sample_key))
        queue.filled = queue.size

    def gathered_bytes(self, load: Workload) -> int:
        return pair_bytes(load)

    def loss(self, batch: PairBatch) -> Tensor:
        return self.training.objective(self.training.model, pretraining_inputs(batch), step=0).losses.total()


class PlannedRetrieval(CoarseTask):
    """ITC, ITM or both."""

    training: RetrievalFineTuning

    def build(self) -> RetrievalFineTuning:
        return RetrievalFineTuning(
            FiberForRetrieval(self.model_sizes),
            objective=build_dataclass(RetrievalObjectiveConfig, plain(self.config.objective), "objective"),
            optimization=self.optimization,
            tokenizer=any_tokenizer(),
            evaluator=NoEvaluator(),  # type: ignore[arg-type]
        )

    def batch(self, load: Workload) -> RetrievalBatch:
        return retrieval_batch(load, self.sizes.vocab_size)

    def fill(self, load: Workload) -> None:
        queue = self.training.objective.queue
        if queue is None:
            return
        embeddings = unit_vectors(2, load.batch_size, self.model_sizes.projection_size)
        queue.enqueue(DetachedEmbeddings(embeddings[0], embeddings[1]))
        queue.filled = queue.size

    def gathered_bytes(self, load: Workload) -> int:
        negatives = self.training.objective.config.matching
        return pair_bytes(load) if negatives is MatchingNegatives.HARD else 0

    def loss(self, batch: RetrievalBatch) -> Tensor:
        losses = self.training.objective(self.training.model, retrieval_inputs(batch), step=0)
        return torch.stack(list(losses.values())).sum()


class PlannedFineTuning(CoarseTask):
    """A task whose losses need nothing but the batch."""

    training: FineTuning

    @abstractmethod
    def network(self) -> nn.Module:
        """The model."""

    def arguments(self) -> dict[str, Any]:
        """Of every fine-tuning."""
        return {"optimization": self.optimization, "tokenizer": any_tokenizer(), "evaluator": NoEvaluator()}

    def loss(self, batch: Any) -> Tensor:
        return torch.stack(list(self.training.losses(batch).values())).sum()


class PlannedQuestionAnswering(PlannedFineTuning):
    """VQA v2."""

    def network(self) -> FiberForQuestionAnswering:
        return FiberForQuestionAnswering(self.model_sizes, num_answers=self.sizes.num_answers)

    def build(self) -> VqaFineTuning:
        return VqaFineTuning(self.network(), **self.arguments())

    def batch(self, load: Workload) -> Any:
        return question_batch(load, self.sizes.vocab_size, self.sizes.num_answers)


class PlannedVisualReasoning(PlannedFineTuning):
    """NLVR2."""

    def network(self) -> FiberForVisualReasoning:
        return FiberForVisualReasoning(self.model_sizes)

    def build(self) -> Nlvr2FineTuning:
        return Nlvr2FineTuning(self.network(), **self.arguments())

    def batch(self, load: Workload) -> Any:
        return statement_batch(load, self.sizes.vocab_size)


class PlannedCaptioning(PlannedFineTuning):
    """Captions by likelihood, GOLD or CIDEr."""

    training: CaptionFineTuning

    def network(self) -> FiberForCaptioning:
        return FiberForCaptioning(self.model_sizes)

    def build(self) -> CaptionFineTuning:
        options = build_dataclass(CaptionObjectiveConfig, plain(self.config.objective), "objective")
        return CaptionFineTuning(self.network(), objective=caption_objective(options), **self.arguments())

    def batch(self, load: Workload) -> Any:
        return caption_batch(load, self.sizes.vocab_size)

    def fill(self, load: Workload) -> None:
        objective = self.training.objective
        if isinstance(objective, GoldObjective):
            objective.current_policy(self.training.model, step=0)

    def loss(self, batch: CaptionBatch) -> Tensor:
        losses = self.training.objective.losses(self.training.model, self.inputs(batch), step=1)
        return torch.stack(list(losses.values())).sum()

    def inputs(self, batch: CaptionBatch) -> CaptionInputs:
        """What objectives take."""
        pixels = normalize_pixels(batch.image)
        return CaptionInputs(pixels, batch.text_ids, batch.text_mask, batch.references, batch.draw)


class FullLengthCaptions(CaptionRewardObjective):
    """The reward's objective where no caption ends early, and all are as good as the baseline."""

    def write(self, model: FiberForCaptioning, image: ImageMemory, inputs: CaptionInputs) -> GeneratedCaptions:
        max_tokens = inputs.token_ids.shape[1] - 1
        draws = torch.rand(len(inputs.token_ids), self.config.num_samples, max_tokens, dtype=torch.float64)
        return sample_captions(CaptionDecoder(model, image), self.vocabulary, draws)

    def advantage(
        self, model: FiberForCaptioning, image: ImageMemory, written: GeneratedCaptions, inputs: CaptionInputs
    ) -> Tensor:
        if self.config.baseline is Baseline.GREEDY:
            max_tokens = inputs.token_ids.shape[1] - 1
            greedy_captions(CaptionDecoder(model, image), self.vocabulary, max_tokens=max_tokens)
        return torch.zeros(written.tokens.shape[:2], dtype=torch.float64)


def caption_objective(config: CaptionObjectiveConfig) -> CaptionObjective:
    """The objective of a recipe, which counts no words and asks for no rewards."""
    if config.loss is CaptionLoss.LIKELIHOOD:
        return LikelihoodObjective()
    if config.loss is CaptionLoss.GOLD:
        return GoldObjective(refresh_every=config.refresh_every, normalization=config.normalization)
    reward = CaptionRewardConfig(
        num_samples=config.num_samples, baseline=config.baseline, reward_share=config.reward_share
    )
    return FullLengthCaptions(reward, reward=unasked, vocabulary=caption_vocabulary(any_tokenizer()))


def unasked(captions: object, references: object) -> Tensor:
    """Takes the place of a reward."""
    raise NotImplementedError


def unit_vectors(*shape: int) -> Tensor:
    """Random directions in the last axis."""
    return F.normalize(torch.randn(shape), dim=-1)


def pair_bytes(load: Workload) -> int:
    """Of raw pairs: pixels of one byte, tokens of eight with a mask of one."""
    return load.batch_size * (3 * load.height * load.width + 9 * load.text_length)
