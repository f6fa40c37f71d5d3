"""What the features of a network tell of degradations, measured without training it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.batch import CLEAN
from undegrade.degradations import Step, replay
from undegrade.evaluation.run import centre_crop
from undegrade.networks import UniversalRestorer

Features = NDArray[np.float32]

SEEDS = 5  # partings into known and unknown photographs
NEIGHBOURS = 5
CROP = 128  # side of the centre crops, pixels
PICTURE_SEED = 20_261_123  # of the degradations, the same for every model


@dataclass(frozen=True, kw_only=True)
class Probed:
    """How well degradations are read off the features of one model.

    Args:
        model: its name.
        knn: share named rightly by the 5 nearest neighbours, mean over the partings.
        knn_deviation: standard deviation of `knn` over the partings.
        linear: the same by a linear classifier (logistic regression on standardised features).
        linear_deviation: of `linear`.
        places: (N, 2), the pictures by t-SNE.
    """

    model: str
    knn: float
    knn_deviation: float
    linear: float
    linear_deviation: float
    places: Features


def degraded_crops(photos: Sequence[Features], steps: Sequence[Step]) -> tuple[Features, NDArray[np.intp]]:
    """Every photograph's centre crop in every way: (photos * (1 + steps), 3, CROP, CROP), and (N,) which way it is.

    Way 0 is clean. Severities are drawn over their whole ranges.
    """
    pictures, ways = [], []
    for number, photo in enumerate(photos):
        clean = torch.from_numpy(centre_crop(photo, CROP))
        for way, step in enumerate((None, *steps)):
            rng = torch.Generator().manual_seed(PICTURE_SEED + 1000 * number + way)
            pictures.append((replay(clean, step.plan(rng)) if step else clean).numpy())
            ways.append(way)
    return np.stack(pictures), np.array(ways)


@torch.no_grad()
def features_of(model: UniversalRestorer, pictures: Features, *, flat: bool = False) -> Features:
    """(N, D): mean and standard deviation of each channel of the tapped features; with `flat`, all their values.

    The paper flattens. That asks whether the same place looks the same, and takes gigabytes; means and deviations ask
    what the feature says of the picture, wherever it is.
    """
    model.eval()
    rows = []
    for picture in pictures:
        image = torch.from_numpy(picture)[None].contiguous(memory_format=torch.channels_last)
        maps = model.network.features(image)[: model.network.num_tapped]
        if flat:
            rows.append(torch.cat([m.flatten() for m in maps]))
        else:
            rows.append(torch.cat([torch.cat([m.mean((2, 3)), m.std((2, 3))], 1).flatten() for m in maps]))
    features: Features = torch.stack(rows).float().numpy()
    return features


def probe(model: str, features: Features, ways: NDArray[np.intp]) -> Probed:
    """k-NN and linear accuracy, a third of the photographs held out, over `SEEDS` partings; and t-SNE.

    No photograph is on both sides. Features are standardised by those of the known photographs.

    Args:
        model: its name.
        features: (N, D), photograph by photograph, each in every way.
        ways: (N,), the truth.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.manifold import TSNE
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    num_ways = int(ways.max()) + 1
    photo = np.arange(len(ways)) // num_ways
    scores: dict[str, list[float]] = {"knn": [], "linear": []}
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(photo.max() + 1)
        unknown = np.isin(photo, order[: len(order) // 3])
        judges: dict[str, Any] = {
            "knn": KNeighborsClassifier(NEIGHBOURS),
            "linear": LogisticRegression(max_iter=2000, C=0.1),
        }
        for name, judge in judges.items():
            fitted = make_pipeline(StandardScaler(), judge).fit(features[~unknown], ways[~unknown])
            scores[name].append(float(fitted.score(features[unknown], ways[unknown])))
    standard = StandardScaler().fit_transform(features)
    perplexity = min(30.0, (len(features) - 1) / 3)
    places = TSNE(random_state=0, init="pca", perplexity=perplexity).fit_transform(standard)
    return Probed(
        model=model,
        knn=float(np.mean(scores["knn"])),
        knn_deviation=float(np.std(scores["knn"])),
        linear=float(np.mean(scores["linear"])),
        linear_deviation=float(np.std(scores["linear"])),
        places=places,
    )


def draw(found: Sequence[Probed], ways: NDArray[np.intp], names: Sequence[str], path: Path) -> None:
    """A picture of the t-SNE of each model, side by side, a colour for each degradation."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import tab20
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(found), 5.6), layout="constrained")
    for number, one in enumerate(found):
        axes = figure.add_subplot(1, len(found), number + 1)
        for way, name in enumerate(names):
            x, y = one.places[ways == way].T
            marker, colour = ("x", "black") if name == CLEAN else ("o", tab20(way % 20))
            axes.scatter(x, y, s=14, marker=marker, color=colour, label=name.replace("_", " "), linewidths=0.8)
        axes.set_title(f"{one.model}\nk-NN {one.knn:.0%}, linear {one.linear:.0%}", fontsize=11)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    FigureCanvasAgg(figure)
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=110, format="png")
