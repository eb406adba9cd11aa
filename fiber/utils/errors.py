"""The one exception that speaks to the user, and how scripts end on it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

ERROR_STATUS = 2
"""Of a script that ends on an error of the user's."""
INTERRUPTED_STATUS = 130
"""Of a script that Ctrl-C ends, as shells have it."""


class UserError(ValueError):
    """Wrong input that the user can mend.

    The message names the file, key or option at fault and says what to type instead. Scripts print it without a
    traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        # A data worker hands an error on with its whole traceback as the message; what it says comes last.
        super().__init__(message.rpartition(f"{__name__}.{type(self).__name__}: ")[2].strip())


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Print one line instead of a traceback, and exit: with status 2 on a UserError, with 130 on Ctrl-C.

    The line about Ctrl-C is `interrupted`, and what the KeyboardInterrupt says, if it says something.
    """
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(ERROR_STATUS)
    except KeyboardInterrupt as interrupt:
        print(": ".join(["interrupted", *map(str, interrupt.args)]), file=sys.stderr)
        sys.exit(INTERRUPTED_STATUS)
