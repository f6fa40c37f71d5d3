"""How data sets lie on disk: where the degraded pictures are, and which clean one belongs to each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Where one kind of degraded pictures lies, and where the clean picture of each does.

    Both are paths without the ending, so the two may have different formats. `{name}` stands for some text within one
    folder's or file's name, as little as will do; `{path}` for a name that may lie in further folders. Both may lie
    below further folders, the same for both: `train/scene/input/1.png` keeps its clean picture in `train/scene/target`.
    Capitals make no difference. The text of `{label}` is the label of the pair.
    """

    degraded: str
    clean: str

    def clean_name(self, name: str) -> tuple[str, str | None] | None:
        """The clean picture's name and the label of the degraded picture `name`; None where the rule does not fit.

        >>> Rule(degraded="hazy/{id}_{rest}", clean="clear/{id}").clean_name("OTS/hazy/0001_0.8_0.2")
        ('OTS/clear/0001', None)
        """
        match = _compiled(self.degraded).fullmatch(name)
        if not match:
            return None
        texts = match.groupdict()
        clean = (texts["above"] or "") + self.clean.format_map(texts)
        return None if clean.casefold() == name.casefold() else (clean, texts.get("label"))

    def is_clean(self, name: str) -> bool:
        """Whether a picture of this name is a clean one by this rule."""
        return _compiled(self.clean).fullmatch(name) is not None

    @property
    def folders(self) -> tuple[str, ...]:
        """The folder of the degraded pictures and that of the clean ones, as far as they are named."""
        named = (pattern.rpartition("/")[0].rpartition("/")[2] for pattern in (self.degraded, self.clean))
        return tuple(folder for folder in named if folder and "{" not in folder)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", pattern)
    texts = [
        re.escape(piece) if number % 2 == 0 else f"(?P<{piece}>{'.+' if piece == 'path' else '[^/]+?'})"
        for number, piece in enumerate(pieces)
    ]
    return re.compile(f"(?P<above>(?:.*/)?){''.join(texts)}", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way in which a data set lies on disk.

    Args:
        about: which sets come so.
        rules: tried in order; the first whose clean picture exists counts. None: all pictures are clean.
        beside: further pictures that such a set holds and nobody needs here.
    """

    about: str
    rules: tuple[Rule, ...]
    beside: tuple[str, ...] = ()

    def looked_for(self) -> str:
        """The rules in words."""
        return ", ".join(f"{rule.degraded} with {rule.clean}" for rule in self.rules) or "pictures"


def _same_names(degraded: str, clean: str) -> Rule:
    return Rule(degraded=f"{degraded}/{{path}}", clean=f"{clean}/{{path}}")


# Where several fit, the one with the most pairs is meant, and of equals the first.
LAYOUTS: dict[str, Layout] = {
    "input_target": Layout(about="pairs of the same name", rules=(_same_names("input", "target"),)),
    "lq_gt": Layout(
        about="pairs of the same name, as BasicSR calls them",
        rules=(_same_names("lq", "gt"),),
    ),
    "gopro": Layout(
        about="GoPro: scenes of frames",
        rules=(_same_names("blur", "sharp"),),
        beside=("blur_gamma/{name}",),
    ),
    "reside": Layout(
        about="RESIDE (ITS, OTS, SOTS): several hazy pictures of each clear one",
        rules=(
            _same_names("hazy", "clear"),
            Rule(degraded="hazy/{id}_{rest}", clean="clear/{id}"),
            _same_names("hazy", "gt"),
            Rule(degraded="hazy/{id}_{rest}", clean="gt/{id}"),
        ),
        beside=("trans/{name}", "depth/{name}"),
    ),
    "lol": Layout(about="LOL: low light and normal light", rules=(_same_names("low", "high"),)),
    "rain13k": Layout(
        about="Rain13K, Rain100L, Rain100H",
        rules=(
            _same_names("input", "target"),
            Rule(degraded="rain/norain-{number}x2", clean="norain/norain-{number}"),
            Rule(degraded="rain/rain-{number}", clean="norain/norain-{number}"),
            Rule(degraded="rainy/rain-{number}", clean="gt/norain-{number}"),
            Rule(degraded="rain-{number}", clean="norain-{number}"),
        ),
    ),
    "snow100k": Layout(
        about="Snow100K",
        rules=(_same_names("synthetic", "gt"),),
        beside=("mask/{path}",),
    ),
    "source_target": Layout(
        about="DPDD, FHDMi and others whose folders are called so",
        rules=(Rule(degraded="source/src_{number}", clean="target/tar_{number}"), _same_names("source", "target")),
    ),
    "raindrop": Layout(
        about="Raindrop",
        rules=(Rule(degraded="data/{number}_rain", clean="gt/{number}_clean"),),
    ),
    "sidd": Layout(
        about="SIDD: noisy and clean shots side by side in a folder for each scene",
        rules=(Rule(degraded="{scene}_NOISY_SRGB_{number}", clean="{scene}_GT_SRGB_{number}"),),
    ),
    "cdd11": Layout(
        about="CDD-11: a folder for each degradation, which is its label",
        rules=(Rule(degraded="{label}/{name}", clean="clear/{name}"),),
    ),
    "clean": Layout(about="clean pictures alone", rules=()),
}


def is_beside(layout: Layout, name: str) -> bool:
    """Whether the picture is one that the layout expects and nobody needs here."""
    return any(_compiled(pattern).fullmatch(name) for pattern in layout.beside)
