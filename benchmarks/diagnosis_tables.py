"""The tables of docs/diagnosis.md, from results/diagnosis.json and results/teaching.json; and its picture.

`python diagnosis_tables.py RESULTS.json TEACHING.json [--into PAGE.md] [--confusion PICTURE.png]`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tables import machine, percent, put, table


def names(results) -> str:
    section = results["names"]
    rows = [
        ("the likeliest kind is right, of visible single ones", percent(section["top1_of_visible"])),
        ("named with a probability of a half at least, and rightly", percent(section["named_of_visible"])),
        ("clean pictures in which nothing is found", percent(section["clean_called_clean"])),
        ("mean average precision, single kinds", f"{section['mean_average_precision']:.3f}"),
        ("mean average precision, CDD-11's mixtures", f"{section['mean_average_precision_of_cdd11']:.3f}"),
        ("calibration error before and after", _arrow(section, "calibration_error_before", "calibration_error_after")),
    ]
    each = table(("kind", "average precision"), section["average_precision"].items())
    return "\n\n".join([f"## Names\n\n{section['pictures']} pictures.", table(("", ""), rows), each])


def _arrow(section, before: str, after: str) -> str:
    return f"{section[before]:.3f}, {section[after]:.3f}"


def levels(results) -> str:
    rows = []
    for kind, row in results["names"]["levels"].items():
        errors, units = row["error_in_levels"], row["error_in_unit"]
        low, high = row["range"]
        given = [f"{errors[way]:.3f} ({units[way]:.3g})" for way in ("frechet", "argmax", "regression")]
        rows.append((kind, f"{row['field']}, {row['unit']}", f"{low:g} to {high:g}", *given))
    head = ("kind", "severity", "range", "Frechet mean", "argmax", "regression")
    return "\n\n".join(["## Levels", "Mean absolute error in levels, in brackets in the unit.", table(head, rows)])


def unknown(results) -> str:
    section = results["unknown"]
    called = section["called_unknown"]
    rows = [(name, f"{area:.2f}", percent(called[name])) for name, area in section["area_of_each"].items()]
    said = (
        f"Mean area: {section['mean_area_never_met']:.2f} for kinds that nothing has met, "
        f"{section['mean_area_met_while_calibrating']:.2f} for those met while calibrating the gain. Of pictures with "
        f"known kinds, {percent(called['known'])} are called unknown."
    )
    left = results["left_out"]
    without = (
        f"Leave one out: if the memory had never held a kind of the ten, its area would be {left['mean_area']:.2f} in "
        "the mean; of each:"
    )
    ten = table(tuple(left["area_of_each"]), [[f"{area:.2f}" for area in left["area_of_each"].values()]])
    tables = [table(("kind", "area under the curve", "called unknown"), rows), without, ten]
    return "\n\n".join(["## The unknown", said, *tables])


def places(results) -> str:
    section = results["places"]
    return "\n\n".join(["## Places", table(("kind", "intersection over union"), section["union"].items())])


def harm(results) -> str:
    parts = ["## Harm"]
    clean, real = [], []
    for way, row in results["harm"].items():
        own = row["clean"]
        touched = [row["after"] for row in own["touched"]]
        worst = f"{min(touched):.1f} dB" if touched else ""
        clean.append((way, own["pictures"], percent(own["untouched"]), percent(own["unharmed"]), worst))
        for name, pairs in row["pairs"].items():
            figures = (pairs["psnr_in"], pairs["gain"], pairs["gain_p5"], pairs["gain_worst"])
            real.append((way, name, pairs["pictures"], percent(pairs["changed"]), *(f"{v:+.2f}" for v in figures)))
    head = ("", "clean pictures", "untouched", "untouched or above 45 dB", "worst")
    parts.append(table(head, clean))
    touched = results["harm"]["gate"]["clean"]["touched"]
    rows = [(row["set"], row["name"], f"{row['after']:.1f}", f"{row['ssim']:.3f}") for row in touched]
    if rows:
        parts.append("The clean pictures that the gate let through:")
        parts.append(table(("set", "picture", "PSNR", "SSIM"), rows))
    rows = []
    gate, force = (results["harm"][way]["degraded"] for way in ("gate", "force"))
    for name, row in gate.items():
        figures = (f"{row[key]:+.2f}" for key in ("gain", "gain_p5", "gain_worst"))
        other = force[name]
        unchecked = (f"{other[key]:+.2f}" for key in ("gain", "gain_p5"))
        rows.append((name, f"{row['psnr_in']:.1f}", percent(row["changed"]), *figures, *unchecked))
    head = (
        "kind and level",
        "PSNR in",
        "changed",
        "gain",
        "5th percentile",
        "worst",
        "unchecked",
        "its 5th percentile",
    )
    parts.append(table(head, rows))
    head = ("", "pairs", "pictures", "changed", "PSNR in", "gain", "5th percentile", "worst")
    parts.append(table(head, real))
    return "\n\n".join(parts)


def speed(results) -> str:
    section = results["speed"]
    took = f"{section['seconds']:.2f} s, least {section['least']:.2f}"
    return f"## Speed\n\nTo diagnose {section['megapixels']} megapixels in memory, after loading: {took}."


def teaching(results) -> str:
    rows = []
    for way, shots in results["ways"].items():
        for count, row in shots.items():
            curve = ", ".join(percent(value) for value in row["new_named_rightly"])
            kept = percent(row["old_kept"][-1])
            rows.append((way, count, percent(row["average"]), curve, percent(row["forgotten_of_the_first"]), kept))
    head = ("", "examples", "new, mean", "after 1 to 5 kinds", "forgotten of the first", "old kept")
    return "\n\n".join(["## Taught kinds", table(head, rows)])


def draw_confusion(results, path: Path) -> None:
    """True kinds down, found ones across."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    section = results["names"]["confusion"]
    counts = np.array(section["rows_are_true"], float)
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    figure, axes = pyplot.subplots(figsize=(7, 6.4))
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    ticks = range(len(shares))
    axes.set_xticks(ticks, section["labels"], rotation=60, ha="right")
    axes.set_yticks(ticks, section["labels"])
    axes.set_xlabel("found")
    axes.set_ylabel("true")
    for row in ticks:
        for column in ticks:
            if shares[row, column] >= 0.005:
                colour = "white" if shares[row, column] > 0.5 else "black"
                text = f"{100 * shares[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    results, taught = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    made = [make(results) for make in (names, levels, unknown, places, harm, speed)]
    put([machine(results), *made, teaching(taught)])
    if "--confusion" in sys.argv:
        draw_confusion(results, Path(sys.argv[sys.argv.index("--confusion") + 1]))


if __name__ == "__main__":
    main()
