"""The evaluator of a split by what its reader offers."""

from collections.abc import Sequence

from fiber.data.readers.task_readers import (
    BoxReader,
    DetectionReader,
    EntitiesReader,
    FederatedReader,
    GroundingReader,
    ReferringReader,
)
from fiber.data.tokenization import TextTokenizer
from fiber.detection.prompts import ClassPrompt
from fiber.tasks.fine.boxes.asking import ClassAsker, PhraseAsker
from fiber.tasks.fine.boxes.detection_evaluator import DetectionEvaluator
from fiber.tasks.fine.boxes.flickr30k_evaluator import Flickr30kEvaluator
from fiber.tasks.fine.boxes.lvis_evaluator import LvisEvaluator
from fiber.tasks.fine.boxes.options import BoxEvaluationConfig
from fiber.tasks.fine.boxes.phrase_evaluator import PhraseEvaluator
from fiber.tasks.fine.boxes.referring_evaluator import ReferringEvaluator

SplitJudge = DetectionEvaluator | Flickr30kEvaluator | LvisEvaluator | PhraseEvaluator | ReferringEvaluator


def box_evaluator(
    reader: BoxReader,
    *,
    tokenizer: TextTokenizer,
    options: BoxEvaluationConfig,
    text_budget: int,
    num_samples: int,
    prompts: Sequence[str | ClassPrompt] | None = None,
) -> SplitJudge:
    """How a split is judged.

    Args:
        reader: the split.
        tokenizer: the model's.
        options: which boxes count.
        text_budget: tokens of a prompt at most.
        num_samples: the first so many of the split are judged.
        prompts: words to ask for each class, in place of the reader's.

    Raises:
        UserError: a class names nothing, or is longer than a prompt.
    """
    if isinstance(reader, GroundingReader):
        asker = PhraseAsker(tokenizer, options)
        if isinstance(reader, ReferringReader):
            return ReferringEvaluator(reader, asker=asker, num_samples=num_samples)
        if isinstance(reader, EntitiesReader):
            return Flickr30kEvaluator(reader, asker=asker, num_samples=num_samples)
        return PhraseEvaluator(reader, asker=asker, num_samples=num_samples)
    assert isinstance(reader, DetectionReader)
    classes = ClassAsker(
        tokenizer,
        options,
        names=reader.classes,
        prompts=reader.class_prompts if prompts is None else prompts,
        text_budget=text_budget,
    )
    if isinstance(reader, FederatedReader):
        return LvisEvaluator(reader, asker=classes, num_samples=num_samples)
    return DetectionEvaluator(reader, asker=classes, num_samples=num_samples)
