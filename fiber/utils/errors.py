"""The one exception that speaks to the user."""


class UserError(ValueError):
    """Wrong input that the user can mend.

    The message names the file, key or option at fault and says what to type instead. Scripts print it without a
    traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        # A data worker hands an error on with its whole traceback as the message; what it says comes last.
        super().__init__(message.rpartition(f"{__name__}.{type(self).__name__}: ")[2].strip())
