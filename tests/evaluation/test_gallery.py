import base64
import re
from pathlib import Path

import numpy as np
import pytest

from undegrade.degradations import COMPOUNDS, DEGRADATIONS
from undegrade.errors import UndegradeError
from undegrade.evaluation import gallery
from undegrade.evaluation.gallery import write_gallery


@pytest.mark.slow
def test_each_degradation_is_shown_at_five_levels_with_its_equation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "SIDE", 48)
    few = {name: DEGRADATIONS[name] for name in ("noise", "jpeg", "mosaic")}
    monkeypatch.setattr(gallery, "DEGRADATIONS", few)
    monkeypatch.setattr(gallery, "COMPOUNDS", {name: COMPOUNDS[name] for name in list(COMPOUNDS)[:1]})
    write_gallery(np.random.default_rng(0).random((3, 60, 70), np.float32), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure>") == 1 + 5 + 5 + 1 + 5
    assert "y = clip(x + sigma / 255 * e)" in page
    assert "PSNR" in page
    for data in re.findall(r"base64,([^\"]+)", page):
        assert base64.b64decode(data).startswith(b"\xff\xd8\xff")
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match=r"page.png: unknown ending '.png'; expected .html"):
        write_gallery(np.zeros((3, 60, 70), np.float32), tmp_path / "page.png")


def test_what_cannot_be_made_is_said_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "SIDE", 16)
    monkeypatch.setattr(gallery, "DEGRADATIONS", {name: DEGRADATIONS[name] for name in ("noise", "h264")})
    monkeypatch.setattr(gallery, "COMPOUNDS", {})
    monkeypatch.setattr(DEGRADATIONS["h264"], "encoder", "libnothing")
    pytest.importorskip("av")
    write_gallery(np.random.default_rng(0).random((3, 20, 20), np.float32), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure>") == 1 + 5
    assert "Not shown. h264: this FFmpeg has no libnothing" in page
