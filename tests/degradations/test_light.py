import pytest
import torch

from undegrade.degradations.light import to_display, to_linear

LEVELS = torch.arange(65536) / 65535


def test_each_is_the_inverse_of_the_other() -> None:
    torch.testing.assert_close(to_display(to_linear(LEVELS)), LEVELS, atol=1e-6, rtol=0)
    torch.testing.assert_close(to_linear(to_display(LEVELS)), LEVELS, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("display", "linear"), [(0.0, 0.0), (0.04045, 0.0031308), (0.2, 0.0331047), (0.5, 0.2140411), (1.0, 1.0)]
)
def test_the_curve_goes_through_the_standards_points(display: float, linear: float) -> None:
    assert to_linear(torch.tensor(display)).item() == pytest.approx(linear, abs=1e-6)
    assert to_display(torch.tensor(linear)).item() == pytest.approx(display, abs=1e-6)


def test_both_rise_without_a_jump() -> None:
    for curve, steepest in ((to_linear, 2.3), (to_display, 12.93)):
        steps = curve(LEVELS.double()).diff()
        assert steps.min() > 0
        assert steps.max() < 1.02 * steepest / 65535


def test_gradients_stay_finite_at_black() -> None:
    black = torch.zeros(4, requires_grad=True)
    to_display(to_linear(black)).sum().backward()
    assert black.grad is not None
    assert black.grad.isfinite().all()
