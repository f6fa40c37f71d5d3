"""One HTML page, complete in itself, of everything that an evaluation has shown, failures first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from undegrade.atomic import written_whole
from undegrade.batch import CLEAN
from undegrade.errors import UndegradeError
from undegrade.evaluation.page_changes import changes
from undegrade.evaluation.page_charts import charts
from undegrade.evaluation.page_gallery import examples_for, gallery
from undegrade.evaluation.page_markup import (
    Column,
    body,
    by_ruler,
    cell,
    chance,
    colour,
    escaped,
    head,
    line,
    model_name,
    number_of,
    percent,
    signed,
    table,
)
from undegrade.evaluation.page_tables import FEW, comparisons, failures, is_sure, made_worse, results
from undegrade.evaluation.report import Circumstances, Run
from undegrade.evaluation.run import INPUT, Restore
from undegrade.evaluation.statistics import CONFIDENCE, RESAMPLES, compare
from undegrade.evaluation.work import Work

HERE = Path(__file__).parent
ENDINGS = (".html", ".htm")
MOST_PROBLEMS = 50  # that are named
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_page(
    runs: Sequence[Run], about: Circumstances, work: Work, path: Path, open_model: Callable[[str], Restore]
) -> None:
    """Write the page of an evaluation; the same runs give the same bytes.

    Args:
        runs: one for each ruler.
        about: what stands beside the numbers.
        work: that was carried out; pictures of the gallery are made again from it.
        path: ends in .html; its folder is made where it does not exist.
        open_model: makes a function from a model's name.

    Raises:
        UndegradeError: the name ends otherwise, or the file cannot be written.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UndegradeError(f"{path}: unknown ending {path.suffix!r}; expected .html")
    text = _page(runs, about, work, open_model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UndegradeError(f"{path.parent}: cannot be made ({error.strerror})") from None
    with written_whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def _page(runs: Sequence[Run], about: Circumstances, work: Work, open_model: Callable[[str], Restore]) -> str:
    count = examples_for(len(runs), max((len(run.models) - 1 for run in runs), default=0))
    broken = [run for run in runs if not run.complete]
    title = f"{'INCOMPLETE: ' if broken else ''}{work.suite} on {work.data}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><link rel="icon" href="data:,">',
        f"<title>{escaped(title)} · undegrade</title><style>{_asset('page.css')}</style></head><body>",
        f"<header><h1>{escaped(_on(work.suite, work.data))}</h1>",
        f'<p class="lead">Evaluated with undegrade on {escaped(about.date)}. {_what(runs)}</p>',
        _warning(broken, runs) if len(runs) > 1 else "",
        f"{_contents(runs)}</header><main>",
        *(_section(number, run, work, open_model, count) for number, run in enumerate(runs, 1)),
        _how(runs, about),
        f"</main><script>{_asset('page.js')}</script></body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _on(suite: str, data: str) -> str:
    return suite if suite == data else f"{suite} on {data}"


def _what(runs: Sequence[Run]) -> str:
    models = max((len(run.models) - 1 for run in runs), default=0)
    given = {score.key[1:] for run in runs for score in run.scores if score.model == INPUT}
    clean = sum(row == CLEAN for row, _ in given)
    pictures = number_of(len(given) - clean, "degraded picture", "degraded pictures")
    pictures += f" and {number_of(clean, 'clean one', 'clean ones')}" if clean else ""
    return (
        f"{number_of(models, 'model', 'models')} on {pictures}, measured by {number_of(len(runs), 'ruler', 'rulers')}."
    )


def _contents(runs: Sequence[Run]) -> str:
    """Links to the sections."""
    items = [f'<li><a href="#run-{n}">Ruler {escaped(run.ruler.name)}</a></li>' for n, run in enumerate(runs, 1)]
    return f'<nav aria-label="Contents"><ul>{"".join(items)}<li><a href="#how">How it was made</a></li></ul></nav>'


def _warning(broken: Sequence[Run], runs: Sequence[Run]) -> str:
    if not broken:
        return ""
    names = ", ".join(escaped(run.ruler.name) for run in broken)
    return (
        f'<div class="incomplete"><p><strong>INCOMPLETE</strong>: {len(broken)} of {len(runs)} rulers, {names}. What '
        "was wrong stands at each.</p></div>"
    )


def _section(number: int, run: Run, work: Work, open_model: Callable[[str], Restore], count: int) -> str:
    """Everything of one run."""
    crop = f"The middle {run.crop} &times; {run.crop} pixels of each." if run.crop else "Whole pictures."
    models = run.models[1:]
    verdicts = "".join(f'<li class="{colour(run.models, name)}">{verdict(run, name)}</li>' for name in models)
    drawn = charts(run)
    parts = [
        f'<section id="run-{number}"><h2>Ruler {escaped(run.ruler.name)}</h2>',
        f'<p class="lead">{escaped(run.ruler.says)}. {crop}</p>',
        f'<ul class="verdicts">{verdicts}</ul>',
        _incomplete(run),
        "<h3>Failures first</h3>",
        failures(run),
        *(made_worse(run, name) for name in models),
        f"<h3>Results</h3>{results(run)}",
        comparisons(run),
        f"<h3>Charts</h3>{drawn}" if drawn else "",
        gallery(run, work, open_model, count),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def verdict(run: Run, model: str) -> str:
    """What a run says of a model, in one sentence; markup."""
    found = compare(run.scores, model, INPUT, "psnr")
    if found is None:
        return f"{model_name(model)} restored no degraded picture that could be measured{_missing(run, model)}."
    if is_sure(found):
        says = "makes pictures better" if found.difference > 0 else "makes pictures worse"
    else:
        says = "was given too few pictures to be sure" if found.pictures < FEW else "makes no sure difference"
    changed = changes(run, model)
    worse = sum(change.gain < 0 for change in changed)
    parts = [
        f"{model_name(model)} {says}: <strong>{signed(found.difference)} dB</strong> PSNR "
        f"{by_ruler(run.ruler.name)}, 95 % interval {signed(found.low)} to {signed(found.high)}, {chance(found.p)} "
        f"over {number_of(found.pictures, 'picture', 'pictures')}",
        f"{percent(worse / len(changed))} of {len(changed):,} restorations are worse than what was given"
        if worse and changed
        else "no restoration is worse than what was given",
    ]
    clean = changes(run, model, clean=True)
    if clean:
        harmed = sum(change.gain < 0 for change in clean)
        parts.append(f"{harmed:,} of {number_of(len(clean), 'clean picture', 'clean pictures')} changed")
    named = [s.named == s.kind for s in run.scores if s.model == model and s.named is not None and s.kind is not None]
    if named:
        parts.append(f"{percent(sum(named) / len(named))} named rightly")
    return "; ".join(parts) + f"{_missing(run, model)}."


def _missing(run: Run, model: str) -> str:
    of_one = [score for score in run.scores if score.model == model]
    failed = sum(bool(score.error) for score in of_one)
    return f'; <strong class="bad">INCOMPLETE</strong>, {failed:,} of {len(of_one):,} failed' if failed else ""


def _incomplete(run: Run) -> str:
    """A banner that counts what was wrong and names what was wrong with the set; empty where nothing was."""
    if run.complete:
        return ""
    parts = [
        number_of(len(run.problems), "thing is", "things are") + " wrong with the set" if run.problems else "",
        number_of(len(run.failures), "restoration", "restorations") + " could not be measured" if run.failures else "",
    ]
    named = "".join(f"<li>{escaped(problem)}</li>" for problem in run.problems[:MOST_PROBLEMS])
    more = len(run.problems) - MOST_PROBLEMS
    named += f"<li>and {more:,} more, in the record of <code>--json</code></li>" if more > 0 else ""
    return (
        f'<div class="incomplete"><p><strong>INCOMPLETE</strong>: {" and ".join(part for part in parts if part)}. The '
        "numbers below are of what remains.</p>"
        f"{f'<ul>{named}</ul>' if named else ''}</div>"
    )


def _how(runs: Sequence[Run], about: Circumstances) -> str:
    """All that is needed to check the numbers."""
    rulers = "".join(f"<dt>{escaped(run.ruler.name)}</dt><dd>{escaped(run.ruler.says)}</dd>" for run in runs)
    facts = {"date": about.date, **about.machine}
    models = list(dict.fromkeys(name for run in runs for name in run.models[1:]))
    weights = [
        line([head(model_name(name)), cell(f"<code>{escaped(about.weights.get(name) or 'none')}</code>")])
        for name in models
    ]
    columns = [Column(title="Model"), Column(title="SHA-256, its beginning")]
    caption = "Fingerprints of the model files"
    files = table(caption, columns, [body(weights)], label="Weights", narrow=True)
    parts = [
        f'<section id="how"><h2>How it was made</h2><h3>Command</h3><pre>{escaped(about.command)}</pre>',
        f"<h3>Rulers</h3><dl>{rulers}</dl>",
        f"<h3>Weights</h3>{files}",
        f"<h3>Machine</h3>{_facts(facts)}<h3>Versions</h3>{_facts(about.versions)}",
        f"<h3>How to read it</h3><ul><li>Gain is the mean PSNR over that of the degraded pictures, dB; worse is the "
        "share of pictures whose PSNR fell; named is the share of which the model said rightly what is wrong; seconds "
        "are the median of a picture.</li>"
        f"<li>Intervals are percentiles of means over pictures drawn with replacement, {RESAMPLES:,} times: they hold "
        f"the mean in {percent(CONFIDENCE)} of such draws.</li>"
        "<li>p is by Wilcoxon&rsquo;s signed-rank test, two-sided. A picture counts once, by its mean over the "
        "degradations. A difference is called sure where p is below 0.05 and the interval leaves out zero.</li>"
        f"<li>Clean pictures stand in a row of their own ({CLEAN}) and are in no mean, chart or gallery: of an "
        "untouched picture PSNR has no end, and 100 dB stand for it.</li></ul></section>",
    ]
    return "\n".join(parts)


def _facts(facts: dict[str, object] | dict[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>' for name, value in facts.items())}</dl>"
