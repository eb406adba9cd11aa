"""Class lists too long for one prompt, as several."""

from collections.abc import Sequence
from typing import NamedTuple

from fiber.detection.prompts import ClassPrompt, Prompt, class_prompt, require_names
from fiber.detection.token_budget import SPECIAL_TOKENS, TEXT_LENGTH, CountTokens, check_budget
from fiber.utils.errors import UserError

SHOWN = 40
"""Characters of a class in a message."""


class PromptChunk(NamedTuple):
    """Consecutive classes that are asked for together."""

    classes: range
    """Label i of the prompt is class `classes[i]`."""
    prompt: Prompt
    num_tokens: int
    """Tokens of the prompt, `<s>` and `</s>` included."""


def chunk_classes(
    classes: Sequence[str | ClassPrompt],
    *,
    count_tokens: CountTokens,
    token_budget: int = TEXT_LENGTH,
    max_classes: int | None = None,
) -> list[PromptChunk]:
    """As few prompts as possible that hold every class once, in order, none cut by the token budget.

    Args:
        classes: names, or names with words around them.
        count_tokens: the model's count.
        token_budget: tokens of a prompt at most, `<s>` and `</s>` included.
        max_classes: classes of a prompt at most; the original evaluates LVIS with 40.

    Raises:
        UserError: a class names nothing, one alone needs more tokens than the budget, or `max_classes` is not positive.
    """
    require_names(classes)
    check_budget(token_budget)
    if max_classes is not None and max_classes < 1:
        raise UserError(f"max_classes={max_classes}: give the number of classes per prompt, or null for no limit.")

    def chunk(start: int, stop: int) -> PromptChunk:
        prompt = class_prompt(classes[start:stop])
        return PromptChunk(range(start, stop), prompt, count_tokens(prompt.text) + SPECIAL_TOKENS)

    chunks: list[PromptChunk] = []
    for index in range(len(classes)):
        if chunks and (max_classes is None or len(chunks[-1].classes) < max_classes):
            longer = chunk(chunks[-1].classes.start, index + 1)
            if longer.num_tokens <= token_budget:
                chunks[-1] = longer
                continue
        alone = chunk(index, index + 1)
        if alone.num_tokens > token_budget:
            raise UserError(
                f"class {index} ({shortened(alone.prompt.text)!r}) alone needs {alone.num_tokens} of {token_budget} "
                "tokens: shorten its name, word it with data.prompts=[...], or raise max_text_length."
            )
        chunks.append(alone)
    return chunks


def shortened(text: str) -> str:
    """The beginning of a class, for messages."""
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
