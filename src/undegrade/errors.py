"""The one exception that users see."""


class UndegradeError(Exception):
    """What is wrong with the input, in one line: the file or field, what was expected, and what to do."""
