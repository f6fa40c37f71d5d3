from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images import before_after_sheet, read_picture, sheet

BLUE, RED = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)


def flat(colour: tuple[float, float, float], height: int = 64, width: int = 96) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.broadcast_to(np.array(colour, np.float32)[:, None, None], (3, height, width)))


def samples(path: Path) -> NDArray[np.float32]:
    return np.rint(read_picture(path).pixels * 255)


def boxes(picture: NDArray[np.float32], colour: tuple[float, float, float]) -> tuple[list[int], list[int]]:
    """Rows and columns that the colour covers."""
    found = (picture == np.array(colour)[:, None, None] * 255).all(axis=0)
    return np.flatnonzero(found.any(axis=1)).tolist(), np.flatnonzero(found.any(axis=0)).tolist()


def test_before_stands_left_of_after_on_neutral_gray(tmp_path: Path) -> None:
    before_after_sheet([("rain", flat(BLUE), flat(RED))], tmp_path / "sheet.png", cell=128)
    picture = samples(tmp_path / "sheet.png")
    (rows, columns), (red_rows, red_columns) = boxes(picture, BLUE), boxes(picture, RED)
    assert (len(columns), len(rows)) == (128, 85)  # 96 x 64 enlarged to fit 128
    assert rows == red_rows
    assert red_columns[0] - columns[-1] == sheet.SEAM + 1
    assert columns[0] == sheet.MARGIN
    assert picture[:, [0, -1]].min() == picture[:, [0, -1]].max() == sheet.BACKGROUND


def test_labels_are_dark_text_above_the_pictures(tmp_path: Path) -> None:
    if not sheet._has_font():
        pytest.skip("no font on this machine")
    widths = []
    for label in ("rain", "heavy rain", "rain " * 40):
        before_after_sheet([(label, flat(BLUE), flat(RED))], tmp_path / "sheet.png", cell=300)
        picture = samples(tmp_path / "sheet.png")
        above = picture[0, sheet.MARGIN : sheet.MARGIN + sheet.LINE]
        widths.append(int(np.flatnonzero((above < 80).any(axis=0)).max()))
    assert sheet.MARGIN < widths[0] < widths[1] < widths[2] < sheet.MARGIN + 600


def test_markup_in_a_label_is_text(tmp_path: Path) -> None:
    before_after_sheet([("a < b & <i>", flat(BLUE), flat(RED))], tmp_path / "sheet.png", cell=128)
    if sheet._has_font():
        assert sheet._text("a < b & <i>", sheet.LABEL_FONT).shape[1] > sheet._text("a < b", sheet.LABEL_FONT).shape[1]


def test_without_a_font_there_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "_has_font", lambda: False)
    before_after_sheet([("rain", flat(BLUE), flat(RED))], tmp_path / "sheet.png", cell=64)
    picture = samples(tmp_path / "sheet.png")
    assert (picture[:, : sheet.MARGIN + sheet.LINE] == sheet.BACKGROUND).all()
    assert boxes(picture, RED)[0]


def test_several_pairs_stand_on_a_grid(tmp_path: Path) -> None:
    rows = [("a", flat(BLUE), flat(RED))] * 3
    before_after_sheet(rows, tmp_path / "two.jpg", cell=96)
    before_after_sheet(rows, tmp_path / "one.png", cell=96, pairs_across=1)
    two, one = samples(tmp_path / "two.jpg").shape, samples(tmp_path / "one.png").shape
    pair = 2 * 96 + sheet.SEAM
    assert two[2] == 2 * pair + 2 * sheet.MARGIN + sheet.PAIR_GAP
    assert one[2] == pair + 2 * sheet.MARGIN
    assert one[1] > two[1]


def test_pictures_of_different_shapes_fit_their_cells(tmp_path: Path) -> None:
    rows = [("tall", flat(BLUE, 200, 50), flat(RED, 200, 50)), ("one pixel", flat(BLUE, 1, 1), flat(RED, 1, 400))]
    before_after_sheet(rows, tmp_path / "sheet.png", cell=100)
    assert samples(tmp_path / "sheet.png").shape[1] == 2 * sheet.MARGIN + sheet.LINE + sheet.LINE_GAP + 100


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match="rows: none"):
        before_after_sheet([], tmp_path / "sheet.png")
    with pytest.raises(UndegradeError, match=r"rows: pixels of shape \(64, 96\); expected \(3, H, W\)"):
        before_after_sheet([("a", flat(BLUE)[0], flat(RED))], tmp_path / "sheet.png")
    with pytest.raises(UndegradeError, match="cell: 8"):
        before_after_sheet([("a", flat(BLUE), flat(RED))], tmp_path / "sheet.png", cell=8)
