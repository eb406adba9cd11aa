"""What question answering contributes to a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiber.checkpoints.initialization import find_checkpoint_file
from fiber.checkpoints.original_coarse import TensorName, question_answering_names
from fiber.checkpoints.run_folder import ANSWERS_FILE, run_of
from fiber.data.answer_vocabulary import MIN_COUNT, AnswerVocabulary
from fiber.data.coarse_data_config import CoarseDataConfig
from fiber.data.question_collate import QuestionCollator
from fiber.data.question_dataset import QuestionDataset
from fiber.data.readers.task_readers import QuestionReader
from fiber.models.config import FusionConfig
from fiber.models.question_answering_model import FiberForQuestionAnswering
from fiber.tasks.coarse.task_builder import TaskBuilder
from fiber.tasks.coarse.vqa.evaluator import VqaEvaluator
from fiber.tasks.coarse.vqa.task import VqaFineTuning
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.split_evaluator import Evaluator
from fiber.utils.errors import UserError


@dataclass(frozen=True, kw_only=True)
class VqaDataConfig(CoarseDataConfig):
    """With the answers to choose from."""

    answers: str | None = None
    """Vocabulary file; None = that of the run named by `init_from` if it has one, else built of the training data."""
    min_answer_count: int = MIN_COUNT
    """Questions that an answer must be the common answer of to enter a vocabulary that is built."""


class VqaBuilder(TaskBuilder):
    """Builds question answering by choice from a vocabulary."""

    reader_kind = QuestionReader
    wanted = "questions"
    data_config = VqaDataConfig
    data: VqaDataConfig
    vocabulary: AnswerVocabulary

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.notices: list[str] = []

    def learn(self, train: Sequence[QuestionReader]) -> None:
        earlier = self.earlier_answers()
        file = self.data.answers or earlier
        if file is not None:
            self.vocabulary = AnswerVocabulary.from_file(Path(file))
            refuse_reordered(self.vocabulary, Path(file), earlier)
        else:
            self.vocabulary = build_vocabulary(train, min_count=self.data.min_answer_count)
        self.notices.append(f"{len(self.vocabulary):,} answers to choose from")

    def earlier_answers(self) -> Path | None:
        """Vocabulary of the run that the model starts from."""
        source = find_checkpoint_file(self.config.init_from)
        file = run_of(source) / ANSWERS_FILE if source is not None else None
        return file if file is not None and file.is_file() else None

    def learned_files(self) -> dict[str, str]:
        return {ANSWERS_FILE: self.vocabulary.to_json()}

    def recall(self, run: Path) -> None:
        if self.data.answers is None and not (run / ANSWERS_FILE).is_file():
            raise UserError(f"checkpoint: {run} keeps no {ANSWERS_FILE}: give a run of task=vqa.")
        self.vocabulary = AnswerVocabulary.from_file(run / ANSWERS_FILE)

    def model(self, sizes: FusionConfig) -> FiberForQuestionAnswering:
        return FiberForQuestionAnswering(sizes, num_answers=len(self.vocabulary))

    def original_names(self, sizes: FusionConfig) -> Sequence[TensorName]:
        return question_answering_names(sizes)

    def training_samples(self, reader: QuestionReader) -> QuestionDataset:
        samples = QuestionDataset(
            reader,
            vocabulary=self.vocabulary,
            transform=self.data.transform(),
            seed=self.data.seed,
            training=True,
            max_samples=self.data.max_train_samples,
        )
        if samples.num_dropped:
            self.notices.append(
                f"{reader.name}: {samples.num_dropped:,} of {len(reader):,} questions left out of training, since the "
                "vocabulary has no answer to them"
            )
        return samples

    def evaluation_samples(self, reader: QuestionReader) -> QuestionDataset:
        return QuestionDataset(
            reader,
            vocabulary=self.vocabulary,
            transform=self.data.val_transform(),
            seed=self.data.seed,
            training=False,
        )

    def collator(self) -> QuestionCollator:
        return QuestionCollator(
            self.tokenizer, max_text_length=self.data.max_text_length, num_answers=len(self.vocabulary)
        )

    def evaluator(self, reader: QuestionReader) -> VqaEvaluator:
        return VqaEvaluator(reader, vocabulary=self.vocabulary)

    def task(
        self,
        model: FiberForQuestionAnswering,
        *,
        optimization: OptimizationConfig,
        evaluator: Evaluator,
        train: Sequence[QuestionReader],
    ) -> VqaFineTuning:
        assert isinstance(evaluator, VqaEvaluator)
        if not evaluator.is_scored:
            raise UserError(
                f"data.val: {evaluator.name} has questions without answers, by which no model can be chosen: give "
                "data.val.annotation_file=..."
            )
        return VqaFineTuning(
            model,
            optimization=optimization,
            tokenizer=self.tokenizer,
            evaluator=evaluator,
            notices=self.notices,
        )


def refuse_reordered(vocabulary: AnswerVocabulary, file: Path, earlier: Path | None) -> None:
    """Raise a UserError if a classifier would be taken over whose classes are others, without a difference in size."""
    if earlier is None:
        return
    answers = AnswerVocabulary.from_file(earlier).answers
    if len(answers) == len(vocabulary) and answers != vocabulary.answers:
        raise UserError(
            f"data.answers: {file} has as many answers as {earlier}, but others or in another order: give "
            "data.answers=null to go on with those."
        )


def build_vocabulary(readers: Sequence[QuestionReader], *, min_count: int) -> AnswerVocabulary:
    """Every answer there is where all readers know them beforehand, else the frequent common answers.

    Raises:
        UserError: no answer is frequent enough.
    """
    known = [reader.known_answers for reader in readers]
    if all(answers is not None for answers in known):
        return AnswerVocabulary(list(dict.fromkeys(answer for answers in known for answer in answers or ())))
    return AnswerVocabulary.from_common_answers(common_answers(readers), min_count=min_count)


def common_answers(readers: Sequence[QuestionReader]) -> Iterator[str]:
    """Of every question that has one, in order."""
    for reader in readers:
        for index in range(len(reader)):
            if answer := reader.question(index).common_answer:
                yield answer
