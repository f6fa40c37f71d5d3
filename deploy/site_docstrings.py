"""Docstrings made ready for the site: a doctest is code, not a quotation in a quotation."""

from __future__ import annotations

import re
from typing import Any

import griffe

# From the first prompt up to the next empty line.
DOCTEST = re.compile(r"^>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


class Doctests(griffe.Extension):
    """Puts a fence around each doctest."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called once for each module, class and function."""
        if obj.docstring:
            obj.docstring.value = DOCTEST.sub(lambda found: f"```pycon\n{found[0]}\n```", obj.docstring.value)
