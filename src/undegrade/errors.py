"""The one exception that users see, and the commonest reason for it."""

from __future__ import annotations


class UndegradeError(Exception):
    """What is wrong with the input, in one line: the file or field, what was expected, and what to do."""


def check_at_least(config: object, lowest: dict[str, float]) -> None:
    """Refuse fields of a config that are below their lowest value; of a tuple, each member.

    Raises:
        ValueError: names the field, its value and the lowest one.
    """
    for name, low in lowest.items():
        value = getattr(config, name)
        if min(value if isinstance(value, tuple) else (value,), default=low) < low:
            raise ValueError(f"{type(config).__qualname__}.{name} is {value}; it must be at least {low:g}")
