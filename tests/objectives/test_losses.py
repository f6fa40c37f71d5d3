"""The losses against their formulas, and how the objectives add them up."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.metrics import peak_signal_noise_ratio

from undegrade.batch import Batch
from undegrade.networks import DegradationClassifier, NAFNet, UniversalRestorer
from undegrade.objectives import DegradationClassification, Restoration
from undegrade.objectives.focal import focal_loss
from undegrade.objectives.naming import named_rightly, sigmoid_focal_loss
from undegrade.objectives.restoration import edge_loss, frequency_loss, l1_loss, psnr_loss, rmse_loss

RNG = np.random.default_rng(0)
CLEAN, DEGRADED = (torch.from_numpy(RNG.random((4, 3, 16, 16), dtype=np.float32)) for _ in range(2))
BATCH = Batch(degraded=DEGRADED, clean=CLEAN, label=torch.tensor([0, 1, 2, 1]))


def model(*, zero_output: bool = False) -> UniversalRestorer:
    torch.manual_seed(0)
    network = NAFNet(NAFNet.Config(width=8, encoder=(1,), decoder=(1,), unshuffle=2, zero_output=zero_output))
    return UniversalRestorer(network, DegradationClassifier.Config(num_blocks=1), ("clean", "noise", "haze"))


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_focal_loss_is_its_formula(gamma: float) -> None:
    logits, label = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]]), [0, 2]
    terms = []
    for row, index in zip(logits.tolist(), label, strict=True):
        p = math.exp(row[index]) / sum(math.exp(v) for v in row)
        terms.append(-((1 - p) ** gamma) * math.log(p))
    assert focal_loss(logits, torch.tensor(label), gamma).item() == pytest.approx(sum(terms) / 2, rel=1e-5)


def test_focal_loss_without_gamma_is_cross_entropy() -> None:
    logits, label = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 1])
    torch.testing.assert_close(focal_loss(logits, label, 0.0), F.cross_entropy(logits, label))


def test_focal_loss_of_a_certain_answer_has_a_finite_gradient() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0]), 2.0)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_psnr_loss_is_minus_the_mean_psnr_of_the_pictures() -> None:
    expected = [
        peak_signal_noise_ratio(c, d, data_range=1) for c, d in zip(CLEAN.numpy(), DEGRADED.numpy(), strict=True)
    ]
    assert psnr_loss(DEGRADED, CLEAN, floor=0.0).item() == pytest.approx(-np.mean(expected), rel=1e-5)


def test_psnr_loss_has_a_floor() -> None:
    assert psnr_loss(CLEAN, CLEAN, floor=3e-5).item() == pytest.approx(10 * math.log10(3e-5), rel=1e-5)


@pytest.mark.parametrize("floor", [1e-3, 3e-4])
def test_the_floor_of_the_configuration_is_the_losss(floor: float) -> None:
    config = Restoration.Config(loss="psnr", psnr_floor=floor)
    scalars = Restoration(config, model(zero_output=True))(BATCH)
    torch.testing.assert_close(scalars["loss"], psnr_loss(DEGRADED, CLEAN, floor))


def test_l1_loss_is_the_mean_difference() -> None:
    assert l1_loss(DEGRADED, CLEAN).item() == pytest.approx(np.abs(DEGRADED.numpy() - CLEAN.numpy()).mean(), rel=1e-5)


def test_the_identity_has_no_gain_and_its_own_distance() -> None:
    scalars = Restoration(Restoration.Config(), model(zero_output=True))(BATCH)
    assert scalars["gain_db"].item() == 0
    torch.testing.assert_close(scalars["loss"], l1_loss(DEGRADED, CLEAN))
    assert set(scalars) == {"loss", "distance", "gain_db"}


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_restoration_adds_the_weighted_naming(weight: float) -> None:
    scalars = Restoration(Restoration.Config(naming_weight=weight), model())(BATCH)
    torch.testing.assert_close(scalars["loss"].detach(), scalars["distance"] + weight * scalars["naming"])


def test_pretraining_adds_naming_of_the_degraded_and_drawing_of_the_clean() -> None:
    universal = model()
    config = DegradationClassification.Config(naming_weight=0.7, drawing_weight=3.0)
    scalars = DegradationClassification(config, universal)(BATCH)
    with torch.no_grad():
        _, logits = universal(DEGRADED)
        naming, drawing = focal_loss(logits, BATCH.label, 2.0), l1_loss(universal(CLEAN)[0], CLEAN)
    torch.testing.assert_close(scalars["naming"], naming)
    torch.testing.assert_close(scalars["drawing"], drawing)
    torch.testing.assert_close(scalars["loss"].detach(), 0.7 * naming + 3.0 * drawing)
    assert scalars["accuracy"] == (logits.argmax(1) == BATCH.label).float().mean()


def test_pretraining_without_drawing_runs_on_the_degraded_alone() -> None:
    scalars = DegradationClassification(DegradationClassification.Config(drawn="nothing"), model())(BATCH)
    assert set(scalars) == {"loss", "naming", "accuracy"}
    torch.testing.assert_close(scalars["loss"].detach(), scalars["naming"])


def test_the_joint_baseline_names_and_restores_the_degraded_picture() -> None:
    universal = model()
    scalars = DegradationClassification(DegradationClassification.Config(drawn="degraded"), universal)(BATCH)
    with torch.no_grad():
        picture, logits = universal(DEGRADED)
    torch.testing.assert_close(scalars["drawing"], l1_loss(picture, CLEAN))
    torch.testing.assert_close(scalars["naming"], focal_loss(logits, BATCH.label, 2.0))


def test_the_root_of_the_squared_error_is_averaged_over_the_pictures() -> None:
    clean = torch.zeros(2, 3, 8, 8)
    picture = torch.stack((torch.full((3, 8, 8), 0.3), torch.full((3, 8, 8), 0.1)))
    assert rmse_loss(picture, clean).item() == pytest.approx(0.2, abs=1e-4)
    assert rmse_loss(clean, clean).item() == pytest.approx(1e-3)
    picture.requires_grad_(True)
    rmse_loss(picture, clean).backward()
    assert picture.grad is not None
    pull = picture.grad.flatten(1).norm(dim=1)
    torch.testing.assert_close(pull[0], pull[1], rtol=1e-3, atol=0)  # a large error pulls no less than a small one


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_sigmoid_focal_loss_is_its_formula(gamma: float) -> None:
    logits, present = torch.tensor([[2.0, -1.0], [0.1, -60.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    terms = []
    for logit, is_there in zip(logits.flatten().tolist(), present.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        q = p if is_there else 1 - p
        terms.append(-((1 - q) ** gamma) * math.log(q))
    assert sigmoid_focal_loss(logits, present, gamma).item() == pytest.approx(sum(terms) / 4, rel=1e-5)
    if not gamma:
        expected = F.binary_cross_entropy_with_logits(logits, present)
        torch.testing.assert_close(sigmoid_focal_loss(logits, present, 0.0), expected)


def test_of_several_labels_the_whole_set_has_to_be_right() -> None:
    network = NAFNet(NAFNet.Config(width=8, encoder=(1,), decoder=(1,)))
    several = UniversalRestorer(network, DegradationClassifier.Config(), ("rain", "haze"), multi_label=True)
    present = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    batch = Batch(degraded=DEGRADED, clean=CLEAN, label=torch.zeros(4), present=present)
    logits = torch.tensor([[3.0, 2.0], [3.0, 2.0], [-1.0, -0.1], [-2.0, 0.5]])
    assert named_rightly(several, logits, batch).tolist() == [True, False, True, True]


def test_frequency_loss_is_that_of_numpys_fourier_transform() -> None:
    halved = np.fft.rfft2((DEGRADED - CLEAN).numpy(), norm="ortho")
    expected = (np.abs(halved.real) + np.abs(halved.imag)).mean()
    assert frequency_loss(DEGRADED, CLEAN).item() == pytest.approx(expected, rel=1e-5)


def test_edge_loss_sees_edges_and_no_even_shift() -> None:
    assert edge_loss(CLEAN + 0.2, CLEAN).item() < 1e-6
    stripes = torch.zeros(1, 3, 4, 4)
    stripes[..., ::2] = 0.5
    assert edge_loss(stripes, torch.zeros(1, 3, 4, 4)).item() == pytest.approx(0.5)
    assert edge_loss(stripes.mT, torch.zeros(1, 3, 4, 4)).item() == pytest.approx(0.5)
