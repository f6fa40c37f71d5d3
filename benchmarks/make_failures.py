"""The picture of failures in a model's card: of each degradation the photograph on which a forced repair gains least.

python benchmarks/make_failures.py default KODAK24 docs/failures.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from undegrade.api import load
from undegrade.degradations import TEN
from undegrade.evaluation.rulers import find_ruler
from undegrade.evaluation.run import Plan, make
from undegrade.evaluation.sets import open_pictures
from undegrade.evaluation.suite import SUITES, tasks_of
from undegrade.images import Picture
from undegrade.images.sheet import before_after_sheet
from undegrade.metrics import psnr, quantise


def main() -> None:
    model, folder, target = load(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    plan = Plan(data=folder, layout=None, ruler=find_ruler("undegrade"))
    tasks = tasks_of(SUITES["generated_10d"], open_pictures(folder, None)[0])
    rows = []
    for kind in TEN:
        forced = model.wishing(only=(kind,), force=True)
        worst: tuple[float, str, np.ndarray, np.ndarray] | None = None
        for task in (task for task in tasks if task.kind == kind):
            degraded, clean = make(plan, task)
            restored = quantise(forced.restore(Picture(pixels=degraded)).picture.pixels)
            gain = psnr(restored, clean) - psnr(degraded, clean)
            if worst is None or gain < worst[0]:
                worst = gain, task.picture, degraded, restored
        assert worst is not None
        gain, picture, degraded, restored = worst
        rows.append((f"{kind.replace('_', ' ')}, {picture}: {gain:+.1f} dB", degraded, restored))
    before_after_sheet(rows, target, cell=256)


if __name__ == "__main__":
    main()
