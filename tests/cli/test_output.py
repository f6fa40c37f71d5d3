import io
import sys

import pytest

from undegrade.cli.output import progress, show, training_progress


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


def test_the_bar_of_a_training_appears_on_the_terminal_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown, bar in ((io.StringIO(), True, False), (Terminal(), False, False), (Terminal(), True, True)):
        monkeypatch.setattr(sys, "stderr", stream)
        with training_progress(20, shown=shown) as (advance, say):
            advance(7)
            say("step 7  loss [red]0.5")
            advance(8)
        text = stream.getvalue()
        assert "step 7  loss [red]0.5" in text
        assert ("8/20" in text) == bar
        if not bar:
            assert text == "step 7  loss [red]0.5\n"


def test_the_time_left_of_a_resumed_training_is_that_of_todays_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, now = Terminal(), [0.0]
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("rich.console.monotonic", lambda: now[0])
    with training_progress(1000, shown=True) as (advance, _):
        for done in (501, 502, 503):
            now[0] += 10
            advance(done)
    assert "1:22:50" in stream.getvalue()  # 497 steps of 10 s
