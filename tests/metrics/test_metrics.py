"""What holds of every metric, and what each is over the library that it is from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab, rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from undegrade.errors import UndegradeError
from undegrade.metrics import METRICS, delta_e, find_metric, luma, ms_ssim, psnr, ssim
from undegrade.metrics.energy import measured
from undegrade.metrics.metric import Metric
from undegrade.metrics.perceptual import ALEXNET, VGG16

Photo = NDArray[np.float32]


@pytest.fixture
def photo() -> Photo:
    """Smooth and sharp parts, large enough for every metric."""
    rng = np.random.default_rng(0)
    coarse = rng.random((3, 12, 11)).astype(np.float32)
    waves = np.sin(np.linspace(0, 60, 192, dtype=np.float32))[:, None] * 0.1
    return np.clip(0.1 + 0.7 * coarse.repeat(16, 1).repeat(16, 2) + waves, 0, 1).astype(np.float32)


def noisy(photo: Photo, sigma: float) -> Photo:
    noise = np.random.default_rng(1).normal(0, sigma, photo.shape)
    return np.clip(photo + noise, 0, 1).astype(np.float32)


@pytest.mark.parametrize("name", METRICS)
def test_more_noise_is_worse(name: str, photo: Photo) -> None:
    metric = METRICS[name]
    values = [metric.function(noisy(photo, sigma), photo) for sigma in (0.0, 0.02, 0.1, 0.3)]
    assert (np.diff(values) < 0).all() if metric.higher_is_better else (np.diff(values) > 0).all()
    assert values[0] == pytest.approx({"psnr": 100, "delta_e": 0}.get(name, 1), abs=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_the_least_side_is_enough(name: str, photo: Photo) -> None:
    side = METRICS[name].least_side
    part = photo[:, :side, :side]
    assert np.isfinite(METRICS[name].function(noisy(part, 0.1), part))


def test_they_are_those_of_scikit_image(photo: Photo) -> None:
    other = noisy(photo, 0.1)
    one, two = (p.transpose(1, 2, 0).astype(np.float64) for p in (photo, other))
    assert psnr(other, photo) == pytest.approx(peak_signal_noise_ratio(one, two, data_range=1), abs=1e-5)
    settings = {"channel_axis": 2, "data_range": 1}
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert ssim(other, photo) == pytest.approx(structural_similarity(one, two, **settings, **gaussian), abs=1e-6)
    assert ssim(other, photo, flat=True) == pytest.approx(structural_similarity(one, two, **settings), abs=1e-6)
    assert delta_e(other, photo) == pytest.approx(deltaE_ciede2000(rgb2lab(one), rgb2lab(two)).mean(), abs=1e-6)
    np.testing.assert_allclose(luma(photo)[0] * 255, rgb2ycbcr(one)[..., 0], atol=1e-4)


def test_one_channel_will_do(photo: Photo) -> None:
    gray, other = luma(photo), luma(noisy(photo, 0.1))
    assert gray.shape == (1, 192, 176)
    for name in ("psnr", "ssim", "ms_ssim", "vif"):
        assert np.isfinite(METRICS[name].function(other, gray))


def test_multi_scale_ssim_is_that_of_its_paper(photo: Photo) -> None:
    """Computed anew over scikit-image's contrast and structure."""
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    one, other = (p.astype(np.float64) for p in (photo, noisy(photo, 0.1)))
    product = 1.0
    for scale, weight in enumerate(weights):
        whole, structure = _ssim_parts(one, other)
        product *= (whole if scale == 4 else structure) ** weight
        one, other = (p[:, ::1].reshape(3, p.shape[1] // 2, 2, p.shape[2] // 2, 2).mean((2, 4)) if scale < 4 else p
                      for p in (one, other))  # fmt: skip
    assert ms_ssim(noisy(photo, 0.1), photo) == pytest.approx(product, abs=5e-3)


def _ssim_parts(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    from scipy.ndimage import gaussian_filter

    def blur(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(gaussian_filter(x, 1.5, truncate=3.5, axes=(1, 2)))[:, 5:-5, 5:-5]

    m, n = blur(one), blur(other)
    var_m, var_n, shared = blur(one**2) - m * m, blur(other**2) - n * n, blur(one * other) - m * n
    structure = (2 * shared + 0.03**2) / (var_m + var_n + 0.03**2)
    light = (2 * m * n + 0.01**2) / (m * m + n * n + 0.01**2)
    return float((light * structure).mean()), float(structure.mean())


@pytest.fixture
def weights(tmp_path: Path) -> Callable[[str], tuple[Path, Path, Path]]:
    """Files with random weights of the published layouts: a backbone's, LPIPS' and DISTS'."""

    def make(name: str) -> tuple[Path, Path, Path]:
        torch.manual_seed(0)
        wide = {"vgg16": (64, 128, 256, 512, 512), "alexnet": (64, 192, 384, 256, 256)}[name]
        sides = {"vgg16": (3,) * 5, "alexnet": (11, 5, 3, 3, 3)}[name]
        tensors, width = {}, 3
        for stage, numbers in enumerate(VGG16 if name == "vgg16" else ALEXNET):
            for number in numbers:
                side = sides[stage]
                tensors[f"features.{number}.weight"] = torch.randn(wide[stage], width, side, side) * (
                    (2 / (width * side * side)) ** 0.5
                )
                tensors[f"features.{number}.bias"] = torch.zeros(wide[stage])
                width = wide[stage]
        files = tmp_path / f"{name}.pth", tmp_path / "linear.pth", tmp_path / "dists.pth"
        torch.save(tensors, files[0])
        torch.save({f"lin{n}.model.1.weight": torch.rand(1, c, 1, 1) for n, c in enumerate(wide)}, files[1])
        torch.save({part: torch.rand(1, 3 + sum(wide), 1, 1) for part in ("alpha", "beta")}, files[2])
        return files

    return make


def rises(metric: Metric, photo: Photo) -> bool:
    values = [metric.function(noisy(photo, sigma), photo) for sigma in (0, 0.05, 0.2)]
    return abs(values[0]) < 1e-9 and bool((np.diff(values) > 0).all())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "alexnet"])
def test_lpips_with_weights_that_were_supplied(name: str, weights: Callable, photo: Photo) -> None:
    backbone, linear, _ = weights(name)
    metric = find_metric(f"lpips={backbone},{linear}")
    assert rises(metric, photo[:, :96, :96])
    assert name in metric.about


@pytest.mark.slow
def test_dists_with_weights_that_were_supplied(weights: Callable, photo: Photo) -> None:
    backbone, _, given = weights("vgg16")
    assert rises(find_metric(f"dists={backbone},{given}"), photo[:, :96, :96])


def test_weights_that_are_missing_or_wrong_are_named(weights: Callable, tmp_path: Path) -> None:
    backbone, linear, given = weights("alexnet")
    (tmp_path / "text.pth").write_text("no weights")
    for text, message in (
        ("lpips", r"needs weights, none of which can be shipped; give lpips=BACKBONE,LINEAR"),
        (f"lpips={tmp_path / 'none.pth'},{linear}", r"none\.pth: no such file"),
        (f"lpips={tmp_path / 'text.pth'},{linear}", r"text\.pth: is no file of weights"),
        (f"lpips={linear},{linear}", r"linear\.pth: neither VGG16 nor AlexNet"),
        (f"lpips={backbone},{given}", r"dists\.pth: no key 'lin0.model.1.weight'"),
        (f"dists={backbone},{given}", r"expected alpha and beta of DISTS, and the weights of VGG16"),
        ("beauty", r"'beauty' is not known; known are psnr, ssim"),
    ):
        with pytest.raises(UndegradeError, match=message):
            find_metric(text)


def test_time_is_measured_and_energy_where_it_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undegrade.metrics.energy.COUNTERS", tmp_path)
    with measured() as cost:
        sum(range(200_000))
    assert cost.seconds > 0
    assert cost.cpu_seconds > 0
    assert cost.joules is None
    counter = tmp_path / "intel-rapl:0"
    counter.mkdir()
    (counter / "max_energy_range_uj").write_text("9999999\n")
    (counter / "energy_uj").write_text("9000000\n")
    with measured() as cost:
        (counter / "energy_uj").write_text("1500000\n")  # it has begun again
    assert cost.joules == pytest.approx(2.5)
