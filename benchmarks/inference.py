"""Seconds a megapixel and peak memory of every backend, beside what a user would pick instead on the same machine.

Each figure comes from a process of its own. Prints JSON, or writes it section by section to --out, where sections that
are not asked for stay as they are: the long ones can be taken apart. The tables of docs/performance.md:
`python inference_tables.py results/inference.json --into ../docs/performance.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyvips

from inference_peak import DIGITS as KINDS
from inference_peak import LIBRARIES
from inference_peers import PEERS, SIGMA
from inference_ways import DIGITS, MODEL, NAFNET, WAYS, WEIGHTS
from machine import facts
from timing import Figures, in_process, say

HERE = Path(__file__).parent
PHOTO = HERE.parent / "examples" / "cat-well.png"
SIZES = (0.1, 0.5, 1, 2, 12, 48, 100)  # megapixels
LONG = 36  # megapixels in all repeats of one size, at most; larger pictures come once
BESIDE = 1.0  # megapixels of the picture that backends and peers get
# Of peers that would take too long on that, the size that they get, megapixels.
SMALLER = {"BM3D": 0.1, "Real-ESRGAN x4plus (ncnn)": 0.0164}
EXACT = "PyTorch f32"  # the backend that the others' results are held against
TILE = 512  # pixels; side of the tile that shows the network alone
TILES = (512, 768, 1024, 1280)  # pixels; sides that tell the memory of a tile's pixel; loading hides smaller ones
BUDGET = 60.0  # seconds for the repeats of one figure


@dataclass(frozen=True, kw_only=True)
class Session:
    """What all sections need.

    Args:
        folder: for pictures, the .onnx file, and compiled models.
        sizes: megapixels.
        repeats: of each figure, at most.
        quiet: seconds to wait for a quiet machine before each figure, at most.
        peers: the Python that has the peers; None leaves them out.
    """

    folder: Path
    sizes: tuple[float, ...]
    repeats: int
    quiet: float
    peers: str | None

    def run(self, script: str, *arguments: object, python: str = sys.executable, cache: str = "cache") -> Figures:
        """One script in a process of its own, with compiled models kept in this folder."""
        say(f"  {' '.join(map(str, (script, *arguments)))}")
        command = [python, str(HERE / script), *map(str, arguments)]
        figures = in_process(command, quiet=self.quiet, environment={"UNDEGRADE_CACHE": str(self.folder / cache)})
        say(f"    {figures}")
        return figures

    def limits(self) -> tuple[int, float]:
        """The last two arguments of scripts that repeat."""
        return self.repeats, BUDGET


def photo(folder: Path, width: int, height: int) -> Path:
    """A JPEG of this size: the example photo enlarged, with noise; made once."""
    path = folder / f"{width}x{height}.jpg"
    if not path.exists():
        clean = pyvips.Image.new_from_file(str(PHOTO))[:3]
        scale = max(width / clean.width, height / clean.height) * 1.001
        enlarged = clean.resize(scale, kernel="linear").crop(0, 0, width, height)
        grains = [pyvips.Image.gaussnoise(width, height, mean=0, sigma=SIGMA, seed=seed) for seed in range(3)]
        noisy = (enlarged + grains[0].bandjoin(grains[1:])).cast("uchar")
        noisy.copy(interpretation="srgb").jpegsave(str(path), Q=95)
    return path


def photo_of(folder: Path, megapixels: float) -> Path:
    """`photo` of four by three."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    return photo(folder, width, round(megapixels * 1e6 / width))


def pixels_of(picture: Path) -> Path:
    """The decoded picture, (H, W, 3) uint8, as peers take it."""
    path = picture.with_suffix(".npy")
    if not path.exists():
        np.save(path, pyvips.Image.new_from_file(str(picture)).numpy())
    return path


def measure_peak(session: Session) -> Figures:
    """The share of the machine's measured matrix product that each network reaches, alone on one tile."""
    repeats, budget = session.limits()
    products = {
        f"{library} {digits}": session.run("inference_peak.py", library, digits, max(5, repeats), budget / 2)
        for library in LIBRARIES
        for digits in KINDS
    }
    best = {
        digits: max(float(str(products[f"{library} {digits}"].get("gflops", 0))) for library in LIBRARIES)
        for digits in KINDS
    }
    counts = session.run("inference_peak.py", "count")
    picture = pixels_of(photo(session.folder, TILE, TILE))
    networks = {}
    for name, digits in DIGITS.items():
        row = session.run("inference_ways.py", "tile", name, session.folder, picture, max(5, repeats), budget)
        if "failed" not in row:
            work = 2 * counts[NAFNET if name == NAFNET else MODEL]["multiply_adds_per_pixel"] * TILE**2 / 1e9
            row["gflops"] = round(work / row["least"], 1)
            row["share_of_peak"] = round(row["gflops"] / best[digits], 3)
        networks[name] = row
    return {"products": products, "peak_gflops": best, "counts": counts, "tile": TILE, "networks": networks}


def measure_ways(session: Session) -> Figures:
    """Every backend on one picture, and its peers on the same, or on a smaller copy."""
    picture = pixels_of(photo_of(session.folder, BESIDE))
    rows = {}
    for name in (*WAYS, NAFNET):
        rows[name] = session.run("inference_ways.py", "restore", name, session.folder, picture, *session.limits())
    for name in PEERS if session.peers else ():
        smaller = pixels_of(photo_of(session.folder, SMALLER.get(name, BESIDE)))
        rows[name] = session.run("inference_peers.py", name, smaller, *session.limits(), python=str(session.peers))
    for row in rows.values():
        if "failed" not in row:
            row["seconds_per_megapixel"] = round(row["seconds"] / row["megapixels"], 3)
    _compare(rows, session.folder)
    ours = rows["OpenVINO bf16"] if "failed" not in rows["OpenVINO bf16"] else rows["OpenVINO f32"]
    for row in rows.values():
        if "failed" not in row:
            row["times_ours"] = round(row["seconds_per_megapixel"] / ours["seconds_per_megapixel"], 2)
    return rows


def _compare(rows: Figures, folder: Path) -> None:
    """Adds how near the backends' results are to that of PyTorch in float32, dB."""
    kept = folder / f"{EXACT}.npy"
    for name in (name for name in WAYS if kept.exists() and name != EXACT and "failed" not in rows[name]):
        error = float(np.square(np.load(folder / f"{name}.npy") - np.load(kept)).mean())
        rows[name]["psnr_to_torch_f32"] = round(-10 * np.log10(error), 1) if error else None


def measure_tiles(session: Session) -> Figures:
    """Bytes of memory for each pixel of a tile: the slope of the peak over tiles of several sizes."""
    answer = {}
    for name in ("OpenVINO bf16", "OpenVINO f32"):
        for kind, about in (("any", "ready for any size"), ("tile", "ready for this size")):
            peaks = {}
            for side in TILES:
                picture = pixels_of(photo(session.folder, side, side))
                row = session.run("inference_ways.py", kind, name, session.folder, picture, 1, 1)
                if row.get("peak_mb") is not None:
                    peaks[side] = row["peak_mb"]
            if len(peaks) > 1:
                slope, base = np.polyfit([side**2 for side in peaks], [1e6 * peak for peak in peaks.values()], 1)
                figures = {"peak_mb": peaks, "bytes_per_pixel": round(slope), "base_mb": round(base / 1e6)}
                answer[f"{name}, {about}"] = figures
    return answer


def restore_file(session: Session, picture: Path, repeats: int, cache: str = "cache") -> Figures:
    """`undegrade restore` on a file, whole processes from start to end: medians, and the highest peak."""
    target = session.folder / "restored.jpg"
    rows = []
    for _ in range(repeats):
        target.unlink(missing_ok=True)
        row = session.run("inference_command.py", picture, target, cache=cache)
        if "failed" in row:
            return row
        rows.append(row)
    return {
        "seconds": round(statistics.median(row["process_seconds"] for row in rows), 3),
        "least": min(row["process_seconds"] for row in rows),
        "of_which_restoring": round(statistics.median(row["seconds"] for row in rows), 3),
        "peak_mb": max((row["peak_mb"] for row in rows if row["peak_mb"]), default=None),
        "others": max(row.get("others", 0) for row in rows),
        "repeats": repeats,
        "found": rows[0]["found"],
    }


def measure_starts(session: Session) -> Figures:
    """What a user waits for, from the start to the finished file, and what a program gets that stays."""
    answer = {}
    for name, picture in (
        ("512 x 512", photo(session.folder, 512, 512)),
        ("12 megapixels", photo_of(session.folder, 12)),
    ):
        repeats = session.repeats if picture.name.startswith("512") else max(1, session.repeats // 2)
        arguments = ("restore", "OpenVINO bf16", session.folder, pixels_of(picture), *session.limits())
        answer[name] = {
            "first start, nothing compiled": restore_file(session, picture, 1, cache=f"cache-{picture.stem}"),
            "later starts": restore_file(session, picture, repeats),
            "inside a process, picture in memory": session.run("inference_ways.py", *arguments),
        }
    return answer


def measure_sizes(session: Session) -> Figures:
    """`undegrade restore` from the smallest to the largest size, and how straight the line is."""
    restore_file(session, photo(session.folder, 512, 512), 1)  # so that the compiled model is there
    rows = []
    for size in sorted(session.sizes):
        picture = photo_of(session.folder, size)
        image = pyvips.Image.new_from_file(str(picture))
        megapixels = image.width * image.height / 1e6
        row = restore_file(session, picture, min(session.repeats, max(1, int(LONG // size))))
        row.update(width=image.width, height=image.height, megapixels=round(megapixels, 4))
        if "failed" not in row:
            row["seconds_per_megapixel"] = round(row["seconds"] / megapixels, 3)
        rows.append(row)
    return {"rows": rows, "line": straight([row for row in rows if "failed" not in row])}


def straight(rows: Sequence[Figures]) -> Figures:
    """The line seconds = start + slope * megapixels through the sizes, errors taken relative to the seconds.

    Returns:
        It, how far the farthest size is off it, and the exponent of the growth of what restoring takes from a megapixel
        on: 1 is linear. Nothing from fewer than three sizes.
    """
    if len(rows) < 3:
        return {}
    sizes, seconds = (np.array([row[key] for row in rows]) for key in ("megapixels", "seconds"))
    slope, start = np.polyfit(sizes, seconds, 1, w=1 / seconds)
    off = np.abs((start + slope * sizes) / seconds - 1)
    answer = {
        "start_seconds": round(start, 2),
        "seconds_per_megapixel": round(slope, 3),
        "farthest_off": round(off.max(), 3),
        "farthest_off_at": float(sizes[off.argmax()]),
    }
    large = [(row["megapixels"], row["of_which_restoring"]) for row in rows if row["megapixels"] > 0.9]
    if len(large) > 1:
        growth, _ = np.polyfit(*np.log(np.array(large)).T, 1)
        answer["exponent"] = round(growth, 3)
    return answer


# In this order: the largest pictures come last.
SECTIONS: dict[str, Callable[[Session], Figures]] = {
    "peak": measure_peak,
    "ways": measure_ways,
    "tiles": measure_tiles,
    "starts": measure_starts,
    "sizes": measure_sizes,
}


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="megapixels (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="of each figure, at most (default: %(default)s)")
    parser.add_argument("--quiet", type=float, default=0, metavar="SECONDS", help="wait that long for a quiet machine")
    parser.add_argument("--peers", metavar="PYTHON", help="the Python of the environment that has the peers")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--out", type=Path, help="write here, beside the sections that are there; else print")
    return parser.parse_args()


def _export(path: Path) -> None:
    """The shipped model for ONNX Runtime; where that cannot be, its ways say that there is no file."""
    checkpoint = WEIGHTS / f"{MODEL}.safetensors"
    command = [sys.executable, "-m", "undegrade", "export", str(checkpoint), "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    say(done.stderr.strip() or f"exported {path.name}")


def main() -> None:
    given = read_arguments()
    answer: Figures = json.loads(given.out.read_text()) if given.out and given.out.exists() else {}
    answer["machine"] = facts()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(
            folder=Path(folder),
            sizes=tuple(given.sizes),
            repeats=given.repeats,
            quiet=given.quiet,
            peers=given.peers,
        )
        _export(Path(folder) / f"{MODEL}.onnx")
        for name in (name for name in SECTIONS if name in given.sections):
            say(f"{name}:")
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
            answer[name] = {"taken": date.today().isoformat(), "load_before": load, **SECTIONS[name](session)}
            if given.out:
                given.out.write_text(json.dumps(answer, indent=2) + "\n")
    if not given.out:
        print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
