"""The one exception that speaks to the user."""


class UserError(ValueError):
    """Wrong input that the user can mend.

    The message names the file, key or option at fault and says what to type instead. Scripts print it without a
    traceback and exit with status 2.
    """
