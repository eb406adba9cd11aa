"""How long a prompt may be."""

from collections.abc import Callable

from fiber.utils.errors import UserError

TEXT_LENGTH = 256
"""Tokens of a text, `<s>` and `</s>` included, for which the fine stage is trained."""
SPECIAL_TOKENS = 2

CountTokens = Callable[[str], int]
"""Number of tokens of a text as the model's tokeniser makes them, special ones not counted."""


def check_budget(token_budget: int) -> None:
    """Raise `UserError` unless at least one token fits."""
    if token_budget <= SPECIAL_TOKENS:
        raise UserError(f"token_budget={token_budget} holds no word beside <s> and </s>: give {TEXT_LENGTH}.")
