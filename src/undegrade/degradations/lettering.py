"""Letters of a 5 x 7 dot matrix, laid over a picture at any size and turn."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS, COLUMNS = 7, 5
FINE = 4  # samples a dot, along each side, of letters with rounded corners

# One letter and its seven rows from the top, a row being five dots as one digit of base 32 (left dot 16 ... right 1).
FONT = """
AEHHVHHH BUHHUHHU CEHGGGHE DUHHHHHU EVGGUGGV FVGGUGGG GEHGNHHF HHHHVHHH IE44444E J72222IC KHIKOKIH LGGGGGGV
MHRLLHHH NHPPLJJH OEHHHHHE PUHHUGGG QEHHHLID RUHHUKIH SFGGE11U TV444444 UHHHHHHE VHHHHHA4 WHHHLLLA XHHA4AHH
YHHA4444 ZV1248GV 0EHJLPHE 14C4444E 2EH1248V 3V2421HE 426AIV22 5VGU11HE 668GUHHE 7V124888 8EHHEHHE 9EHHF12C
"""
LETTERS = {glyph[0]: tuple(int(digit, 32) for digit in glyph[1:]) for glyph in FONT.split()}


def random_word(rng: torch.Generator, shortest: int = 2, longest: int = 9) -> str:
    """Random letters and figures."""
    length = int(torch.randint(shortest, longest + 1, (), generator=rng))
    return "".join(list(LETTERS)[i] for i in torch.randint(len(LETTERS), (length,), generator=rng).tolist())


def dots(text: str) -> Tensor:
    """(7, 6 * len(text) - 1) of 0 and 1: the dots of the text, one column between letters; a space is empty."""
    codes = torch.tensor([LETTERS.get(letter, (0,) * ROWS) for letter in text])
    bits = (codes[:, :, None] >> torch.arange(COLUMNS - 1, -1, -1)) & 1
    return F.pad(bits.float(), (0, 1)).permute(1, 0, 2).reshape(ROWS, -1)[:, :-1]


def turned(height: int, width: int, centre: tuple[float, float], turn: float, dot: float) -> tuple[Tensor, Tensor]:
    """Coordinates (down, along), in dots from `centre` (y, x), of each pixel in a frame turned by `turn` radians."""
    y = (torch.arange(height) + 0.5 - centre[0])[:, None] / dot
    x = (torch.arange(width) + 0.5 - centre[1])[None, :] / dot
    sin, cos = math.sin(turn), math.cos(turn)
    return y * cos - x * sin, x * cos + y * sin


def look_up(bitmap: Tensor, down: Tensor, along: Tensor) -> Tensor:
    """(H, W) in [0, 1]: `bitmap` (rows, columns), blurred by 0.41 dots, so that steps run into slanting strokes.

    `down` and `along` are places in dots from its upper left corner; it is empty beyond its sides.
    """
    rows, columns = bitmap.shape
    fine = bitmap.repeat_interleave(FINE, 0).repeat_interleave(FINE, 1)[None, None]
    fine = F.avg_pool2d(F.avg_pool2d(fine, 5, 1, 2), 3, 1, 1)
    grid = torch.stack((along * (2 / columns) - 1, down * (2 / rows) - 1), -1)
    return F.grid_sample(fine, grid[None], align_corners=False)[0, 0]


def inked(value: Tensor, dot: float, *, level: float = 0.4) -> Tensor:
    """Coverage in [0, 1] of letters: the interior of the contour of `value` at `level`, its edge about a pixel wide.

    `dot` is the pitch of the dots in pixels; a lower `level` gives bolder letters. Empty stays empty.
    """
    return ((value - level) * max(dot, 0.5 / level) + 0.5).clamp(0, 1)
