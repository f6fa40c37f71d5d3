"""The tables of docs/performance.md, from results/inference.json.

`python inference_tables.py RESULTS.json [--into PAGE.md]`: prints them, or puts them between the two marks of the page.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from inference_peers import PEERS
from inference_ways import NAFNET
from tables import machine, percent, put, table

ABOUT = ("taken", "load_before")  # of a section, beside its rows


def ways(results) -> str:
    section = {name: row for name, row in results["ways"].items() if name not in ABOUT}
    head = (
        "",
        "picture, MP",
        "s a megapixel",
        "times OpenVINO bf16",
        "peak memory, MB",
        "dB to PyTorch f32",
        "others' load",
    )
    keys = ("megapixels", "seconds_per_megapixel", "times_ours", "peak_mb", "psnr_to_torch_f32")
    rows, failed = [], []
    for name, row in section.items():
        label = f"*{name}*" if name == NAFNET or name in PEERS else name
        if "failed" in row:
            failed.append(f"- {label}: {row['failed'].removeprefix('undegrade.errors.UndegradeError: ')}")
            continue
        rows.append((label, *(row.get(key) for key in keys), percent(row.get("others"))))
    left_out = "\n".join(["Not measured here:", "", *failed]) if failed else ""
    return "\n\n".join(["## Backends and peers", _taken(results["ways"]), table(head, rows), left_out])


def peak(results) -> str:
    section = results["peak"]
    products = ((name, row.get("gflops"), percent(row.get("others"))) for name, row in section["products"].items())
    networks = []
    for name, row in section["networks"].items():
        if "failed" not in row:
            ms, others = 1000 * row["least"], percent(row.get("others"))
            networks.append((name, ms, row["gflops"], percent(row["share_of_peak"]), others))
    counts = "; ".join(
        f"{name}: {row['multiply_adds_per_pixel']:,} multiply-adds a pixel, {row['parameters'] / 1e6:.2f} M parameters"
        for name, row in section["counts"].items()
        if isinstance(row, dict)
    )
    head = ("network alone, one tile", "ms", "GFLOP/s", "share of the peak", "others' load")
    return "\n\n".join(
        [
            "## Share of the peak",
            _taken(section),
            table(("matrix product", "GFLOP/s", "others' load"), products),
            table(head, networks),
            counts + ".",
        ]
    )


def starts(results) -> str:
    rows = []
    for size, kinds in results["starts"].items():
        if size in ABOUT:
            continue
        for kind, row in kinds.items():
            if "failed" not in row:
                rows.append((size, kind, row["seconds"], row["least"], row["peak_mb"], percent(row.get("others"))))
    head = ("picture", "", "seconds", "least", "peak memory, MB", "others' load")
    return "\n\n".join(["## From the start to the finished file", _taken(results["starts"]), table(head, rows)])


def sizes(results) -> str:
    section = results["sizes"]
    keys = ("megapixels", "seconds", "of_which_restoring", "seconds_per_megapixel", "peak_mb")
    rows = [
        (f"{row['width']} x {row['height']}", *(row[key] for key in keys), row["repeats"], percent(row["others"]))
        for row in section["rows"]
        if "failed" not in row
    ]
    line = section["line"]
    said = ""
    if line:
        said = (
            f"Seconds = {line['start_seconds']} + {line['seconds_per_megapixel']} x megapixels; the farthest size, "
            f"{line['farthest_off_at']:.3g} MP, is {percent(line['farthest_off'])} off."
        )
        if "exponent" in line:
            said += (
                " From a megapixel on, what restoring takes grows with the size to the power of "
                f"{line['exponent']} (1 is linear)."
            )
    head = ("JPEG", "megapixels", "seconds", "of which restoring", "s a megapixel", "peak memory, MB", "repeats")
    return "\n\n".join(["## Time against size", _taken(section), table((*head, "others' load"), rows), said])


def tiles(results) -> str:
    rows = [
        (name, *row["peak_mb"].values(), row["bytes_per_pixel"])
        for name, row in results["tiles"].items()
        if name not in ABOUT
    ]
    sides = next(row["peak_mb"] for name, row in results["tiles"].items() if name not in ABOUT)
    head = ("peak memory of a process, MB", *(f"{side} x {side}" for side in sides), "bytes a pixel")
    return "\n\n".join(["## Memory of a tile", _taken(results["tiles"]), table(head, rows)])


def _taken(section) -> str:
    return f"Taken {section['taken']}."


def main() -> None:
    results = json.loads(Path(sys.argv[1]).read_text())
    made = {"ways": ways, "peak": peak, "starts": starts, "sizes": sizes, "tiles": tiles}
    put([machine(results), *(make(results) for name, make in made.items() if name in results)])


if __name__ == "__main__":
    main()
