"""The tables of README.md, docs/evaluation.md, docs/diagnosis.md and the cards of the models, from evaluations.

`python benchmarks/evaluation_tables.py`: puts those of results/evaluation.json, severity.json and mixed.json between
the marks of these pages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tables import put_named, table

HOME = Path(__file__).parents[1]
RESULTS = HOME / "benchmarks" / "results"
CARDS = tuple(HOME / "src" / "undegrade" / "weights" / f"{name}.md" for name in ("default", "quality"))
MODELS = ("default", "quality", "universal-small", "peer:classical")
KINDS = {
    "noise": "noise, sigma 25",
    "jpeg": "JPEG, quality 50",
    "motion_blur": "motion blur, 12 px",
    "defocus_blur": "defocus, radius 2.75 px",
    "haze": "haze, density 1.4, relief 0.32",
    "rain": "rain, 3.25 drops in 1000 px",
    "snow": "snow, 6.5 flakes in 1000 px",
    "low_light": "low light, 2.5 stops",
    "mosaic": "Bayer mosaic",
    "inpainting": "6 scratches of 3.5 px",
    "clean": "clean",
    "mean": "mean of the ten",
}
SHORT = {"jpeg": "JPEG", "inpainting": "scratches", "defocus_blur": "defocus"}
LEVELS = ("0.1", "0.3", "0.5", "0.7", "0.9")


def main() -> None:
    evaluation, severity, mixed = (
        json.loads((RESULTS / f"{name}.json").read_text())["runs"] for name in ("evaluation", "severity", "mixed")
    )
    texts = (
        (HOME / "README.md", "kodak", of_readme(evaluation[0])),
        (HOME / "docs" / "evaluation.md", "kodak", of_evaluation(evaluation)),
        (HOME / "docs" / "evaluation.md", "mixed", of_mixed(mixed[0])),
        (HOME / "docs" / "diagnosis.md", "severity", of_severity(severity[0])),
        *((card, "kodak", of_card(evaluation[0])) for card in CARDS),
    )
    for page, name, text in texts:
        put_named(page, name, text)


def scores(run: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By model and row; "mean" is that of all rows but "clean"."""
    found = {(row["model"], row["row"]): row for row in run["rows"]}
    for model in {model for model, _ in found}:
        rows = [row for (of, name), row in found.items() if of == model and name not in ("clean", "mean")]
        mean = {key: average(row[key] for row in rows) for key in ("gain", "worse", "named")}
        values = {key: average(row["values"][key] for row in rows) for key in ("psnr", "ssim")}
        found.setdefault((model, "mean"), {**mean, "values": values})
    return found


def average(numbers: Iterator[float | None]) -> float | None:
    """Of those that are known."""
    known = [number for number in numbers if number is not None]
    return sum(known) / len(known) if known else None


def of_readme(run: dict[str, Any]) -> str:
    found, rows = scores(run), []
    for kind, label in KINDS.items():
        before, after = found["input", kind]["values"], found["default", kind]
        now = after["values"]
        row = (
            label,
            f"{before['psnr']:.2f}",
            f"{now['psnr']:.2f}",
            f"{after['gain']:+.2f}",
            f"{before['ssim']:.3f}",
            f"{now['ssim']:.3f}",
            f"{after['named']:.0%}".replace("%", " %"),
            f"{after['worse']:.0%}".replace("%", " %"),
        )
        bold = kind == "mean"
        rows.append([f"**{cell}**" if bold and place < 4 else cell for place, cell in enumerate(row)])
    head = ("", "PSNR in", "PSNR out", "gain, dB", "SSIM in", "SSIM out", "named rightly", "made worse")
    return table(head, rows)


def of_evaluation(runs: list[dict[str, Any]]) -> str:
    rows, lines = [], []
    for kind, label in KINDS.items():
        for run in runs if kind == "noise" else runs[:1]:  # which is not clipped under `dcpt`
            found = scores(run)
            values = (f"{found[model, kind]['values']['psnr']:.2f}" for model in ("input", *MODELS))
            rows.append((f"{label} ({run['ruler']})", *values))
    for run in runs:
        for pair in run["comparisons"]:
            if pair["metric"] == "psnr":
                between = f"{pair['difference']:+.2f} dB ({pair['low']:+.2f} to {pair['high']:+.2f})"
                name = f"{pair['first']} against {pair['second']} ({run['ruler']})"
                lines.append(f"- {name}: {between}, p = {pair['p']:.1g}, {pair['pictures']} pictures")
    return table(("PSNR, dB", "input", *MODELS), rows) + "\n\n" + "\n".join(lines)


def of_mixed(run: dict[str, Any]) -> str:
    found = scores(run)
    names = list(dict.fromkeys(row["row"] for row in run["rows"] if row["row"] not in ("clean", "mean")))
    rows = []
    for name in (*names, "mean"):
        before, after = found["input", name], found["default", name]
        values = (f"{before['values']['psnr']:.2f}", f"{after['values']['psnr']:.2f}", f"{after['gain']:+.2f}")
        rows.append((name.replace("_", " "), *values, f"{after['worse']:.0%}".replace("%", " %")))
    return table(("composite", "PSNR in", "PSNR out", "gain, dB", "made worse"), rows)


def of_severity(run: dict[str, Any]) -> str:
    found, rows = scores(run), []
    for kind in list(KINDS)[:10]:
        cells = []
        for level in LEVELS:
            row = found["default", f"{kind} {level}"]
            worse = round(row["worse"] * row["pictures"])
            cells.append(f"{row['gain']:.2f}" + (f" ({worse})" if worse else ""))
        rows.append((SHORT.get(kind, kind.replace("_", " ")), *cells))
    return table(("level", *LEVELS), rows)


def of_card(run: dict[str, Any]) -> str:
    found = scores(run)
    kinds = [kind for kind in KINDS if kind != "clean"]
    rows = []
    for model in MODELS[:3]:
        *gains, mean = (f"{found[model, kind]['gain']:.2f}" for kind in kinds)
        rows.append((f"`{model}`", *gains, f"**{mean}**"))
    return table(("", *(SHORT.get(kind, kind.replace("_", " ")) for kind in kinds)), rows)


if __name__ == "__main__":
    main()
