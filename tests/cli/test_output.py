import io
import sys

import pytest

from undegrade.cli.output import progress, show


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_long_names_are_not_folded_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    name = "p/" * 200 + "photo.png"
    show([], ("picture",), [(name,)], as_json=False)
    assert name in capsys.readouterr().out


def test_markup_and_broken_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show([], ("picture",), [("[red]x[/red] :smile: \udcff.png",)], as_json=False)
    assert "[red]x[/red] :smile: \ufffd.png" in capsys.readouterr().out


def test_nothing_is_printed_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show([], ("picture",), [], as_json=False)
    assert capsys.readouterr().out == ""
    show([], ("picture",), [], as_json=True)
    assert capsys.readouterr().out == "[]\n"


def test_progress_appears_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, speaks in ((io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress(2) as advance:
            advance(0.5)
            advance(2)
        assert bool(stream.getvalue()) == speaks
