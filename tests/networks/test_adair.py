"""AdaIR against the published network where test_layouts.py does not look: the frequencies themselves."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from undegrade.networks import AdaIR
from undegrade.networks.adair import FrequencyModulation, band

TOLERANCE = 1e-4  # ours is below 3e-6


@pytest.mark.slow
@torch.no_grad()
def test_a_large_feature_has_low_and_high_frequencies(
    golden: Callable, drawn_weights: Callable[[str], dict[str, Tensor]], deviation: Callable
) -> None:
    module = FrequencyModulation(16, 4, 128)
    drawn = drawn_weights("adair_fremodule")
    module.load_state_dict({key: value for key, value in drawn.items() if not key.startswith(("score_gen", "conv."))})
    picture = torch.from_numpy(np.random.default_rng(0).random((1, 3, 96, 80), dtype=np.float32))
    feature = torch.from_numpy(np.random.default_rng(1).random((1, 16, 512, 640), dtype=np.float32))
    small = torch.nn.functional.interpolate(picture, (512, 640), mode="bilinear")
    low, high = module.parted(module.conv1(small))
    published = golden("adair_fremodule")
    for name, ours in (("low", low), ("high", high), ("output", module(picture, feature, None))):
        assert deviation(ours[..., ::32, ::32], published[name]) < TOLERANCE, name


@pytest.mark.parametrize(("side", "divisor"), [(32, 4), (33, 4), (64, 2), (16, 32)])
def test_a_band_is_what_the_fourier_transform_keeps(side: int, divisor: int) -> None:
    share = torch.tensor([[[0.7]]], dtype=torch.float64)
    h = int(side // divisor * 0.7)
    signal = torch.rand(side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.fft(signal)
    kept = torch.zeros(side, dtype=torch.bool)
    kept[torch.arange(-h, h) % side] = True
    expected = torch.fft.ifft(spectrum * kept)
    real, imaginary = (part[0, 0] @ signal for part in band(share, side, divisor))
    torch.testing.assert_close(torch.complex(real, imaginary), expected)


def test_a_smaller_divisor_teaches_the_size_of_the_mask() -> None:
    module = FrequencyModulation(16, 4, 4)
    torch.nn.init.ones_(module.para1)
    module(torch.rand(1, 3, 32, 32), torch.rand(1, 16, 32, 32), None).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in module.rate_conv.parameters())


def test_the_papers_network_has_its_number_of_parameters() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in AdaIR(AdaIR.Config()).parameters())
    unused = sum(3 * channels * 9 + 2 * 2 * 49 + 2 for channels in (384, 192, 96))  # conv and score_gen
    assert count + unused == pytest.approx(28.785e6, abs=1000)
