"""What every degradation of the catalogue promises."""

import ast
import hashlib
import math
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from undegrade.batch import Record
from undegrade.degradations import DEGRADATIONS, Degradation, parse, replay
from undegrade.degradations.base import FAMILIES
from undegrade.errors import UndegradeError
from undegrade.metrics import psnr

SIZES = [(16, 16), (17, 31), (40, 16), (23, 64)]

every_degradation = pytest.mark.parametrize("label", DEGRADATIONS)
with_severities = pytest.mark.parametrize("label", [name for name, kind in DEGRADATIONS.items() if kind.units()])


def picture(height: int = 64, width: int = 64, *batch: int) -> Tensor:
    """Smooth colour, an edge, fine stripes and grain, so that each degradation has something to spoil."""
    down, across = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    colour = torch.stack((0.2 + 0.6 * down, 0.7 - 0.5 * across, 0.3 + 0.4 * down * across))
    edge = 0.25 * (torch.hypot(down - 0.5, across - 0.5) < 0.3)
    stripes = 0.08 * torch.sin(across * width * 0.9) * torch.cos(down * height * 0.6)
    grain = 0.04 * torch.randn((*batch, 3, height, width), generator=torch.Generator().manual_seed(0))
    return (colour + edge + stripes + grain).clamp(0, 1)


def spoil(degradation: Degradation, clean: Tensor, fraction: float, seed: int) -> Tensor:
    """Spoiled at a fraction of the way from the weakest severity to the strongest."""
    return degradation.degrade(clean, torch.Generator().manual_seed(seed), degradation.at_level(fraction))


@every_degradation
def test_the_label_is_the_name_in_the_catalogue(label: str) -> None:
    assert DEGRADATIONS[label].label == label
    assert (DEGRADATIONS[label].__doc__ or "").strip()
    assert DEGRADATIONS[label].family in FAMILIES


@every_degradation
@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_same_seed_same_pixels_and_the_input_is_untouched(label: str, fraction: float) -> None:
    clean = picture(40, 48)
    before, state = clean.clone(), torch.get_rng_state()
    first, second = (spoil(DEGRADATIONS[label](), clean, fraction, seed=3) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(clean, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.data_ptr() != clean.data_ptr()


def pixels_of(label: str) -> bytes:
    """What becomes of a picture at full severity; also asked of another process."""
    return spoil(DEGRADATIONS[label](), picture(64, 80), 1.0, seed=5).contiguous().numpy().tobytes()


@pytest.mark.slow
def test_same_record_same_pixels_on_one_thread_or_many_in_a_worker_or_not() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = {label: pixels_of(label) for label in DEGRADATIONS}
        torch.set_num_threads(4)
        many = {label: pixels_of(label) for label in DEGRADATIONS}
    finally:
        torch.set_num_threads(threads)
    assert [label for label in DEGRADATIONS if many[label] != alone[label]] == []
    code = "import hashlib, sys; sys.path.insert(0, sys.argv[1]); import test_degradations as t\n"
    code += "print([hashlib.sha256(t.pixels_of(label)).hexdigest() for label in t.DEGRADATIONS])"
    here = str(Path(__file__).parent)
    told = subprocess.run([sys.executable, "-c", code, here], capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(told) == [hashlib.sha256(pixels).hexdigest() for pixels in alone.values()]


@pytest.mark.parametrize("label", [name for name, kind in DEGRADATIONS.items() if kind.takes_depth])
def test_a_depth_map_takes_the_place_of_the_random_one(label: str) -> None:
    clean, degradation = picture(32, 48), DEGRADATIONS[label]()
    record = replace(degradation.plan(torch.Generator().manual_seed(0))[0], severities=degradation.at_level(1.0))
    near, far = (torch.full((1, 32, 48), value) for value in (0.05, 1.0))
    split = torch.cat((near[..., :24], far[..., 24:]), -1)
    results = [replay(clean, [record], depth) for depth in (None, near, far, split)]
    assert all(r.shape == clean.shape and r.min() >= 0 and r.max() <= 1 for r in results)
    assert not torch.equal(results[0], results[3])
    assert torch.equal(results[3], replay(clean, [record], split))
    if "density" in record.severities:  # what is near keeps more of itself
        kept = [(r - clean).abs().mean() for r in results]
        assert kept[1] < kept[3] < kept[2]


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (torch.zeros(1, 20, 30), r"depth: 30 x 20 pixels; expected those of the picture, 48 x 32"),
        (torch.full((1, 32, 48), 1.5), r"depth: values from 1.5 to 1.5; expected 0"),
        (torch.full((1, 32, 48), math.nan), r"depth: values from nan"),
    ],
)
def test_a_depth_map_that_does_not_fit_is_refused(depth: Tensor, message: str) -> None:
    records = DEGRADATIONS["haze"]().plan(torch.Generator().manual_seed(0))
    with pytest.raises(UndegradeError, match=message):
        replay(picture(32, 48), records, depth)


@every_degradation
def test_another_seed_draws_other_pixels_or_none_at_all(label: str) -> None:
    clean = picture()
    results = [spoil(DEGRADATIONS[label](), clean, 1.0, seed) for seed in range(6)]
    differ = any(not torch.equal(results[0], other) for other in results[1:])
    assert differ == DEGRADATIONS[label].random


@every_degradation
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_shape_kind_and_range_are_kept(label: str, size: tuple[int, int], fraction: float) -> None:
    for clean in (picture(*size), picture(*size, 2), torch.ones(3, *size), torch.zeros(2, 3, *size)):
        spoiled = spoil(DEGRADATIONS[label](), clean, fraction, seed=1)
        assert spoiled.shape == clean.shape
        assert spoiled.dtype == torch.float32
        assert spoiled.isfinite().all()
        assert spoiled.min() >= 0
        assert spoiled.max() <= 1


@every_degradation
@settings(max_examples=6, deadline=None, derandomize=True)
@given(height=st.integers(16, 70), width=st.integers(16, 70), seed=st.integers(0, 2**53), data=st.data())
def test_any_severities_at_any_size_keep_the_promises_and_replay(
    label: str, height: int, width: int, seed: int, data: st.DataObject
) -> None:
    degradation = DEGRADATIONS[label]()
    severities = degradation.at({name: data.draw(st.floats(0, 1), label=name) for name in degradation.units()})
    clean = picture(height, width)
    before = clean.clone()
    record = Record(degradation=label, severities=severities, seed=seed)
    spoiled = replay(clean, (record,))
    assert spoiled.shape == clean.shape
    assert spoiled.isfinite().all()
    assert 0 <= spoiled.min() <= spoiled.max() <= 1
    assert torch.equal(clean, before)
    assert torch.equal(replay(clean, (record,)), spoiled)


@every_degradation
@pytest.mark.parametrize("size", [(2, 2), (3, 50), (50, 2)])
def test_a_picture_smaller_than_the_kernel_is_spoiled_too(label: str, size: tuple[int, int]) -> None:
    spoiled = spoil(DEGRADATIONS[label](), picture(*size), 1.0, seed=1)
    assert spoiled.shape == (3, *size)
    assert spoiled.isfinite().all()


@every_degradation
def test_a_picture_of_a_single_row_is_refused(label: str) -> None:
    with pytest.raises(UndegradeError, match=f"{label}: the picture is 20 x 1 pixels; expected at least 2 x 2"):
        spoil(DEGRADATIONS[label](), picture(1, 20), 0.5, seed=1)


@every_degradation
def test_memory_order_does_not_change_the_answer(label: str) -> None:
    clean = picture(32, 40, 2)
    expected = spoil(DEGRADATIONS[label](), clean, 0.5, seed=2)
    strided = clean.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert not strided.is_contiguous()
    torch.testing.assert_close(spoil(DEGRADATIONS[label](), strided, 0.5, seed=2), expected)


@with_severities
def test_psnr_falls_as_severity_rises(label: str) -> None:
    clean = picture()
    means = []
    for fraction in (0.0, 0.5, 1.0):
        spoiled = [spoil(DEGRADATIONS[label](), clean, fraction, seed) for seed in range(5)]
        means.append(sum(psnr(picture.numpy(), clean.numpy()) for picture in spoiled) / len(spoiled))
    assert means[0] > means[1] > means[2]


@every_degradation
def test_the_middle_spoils_visibly_and_not_beyond_recognition(label: str) -> None:
    clean, degradation = picture(), DEGRADATIONS[label]()
    spoiled = degradation.degrade(clean, torch.Generator().manual_seed(0), degradation.middle())
    assert 5 < psnr(spoiled.numpy(), clean.numpy()) < 40


@every_degradation
def test_severities_are_drawn_within_the_ranges_and_replay(label: str) -> None:
    degradation, rng = DEGRADATIONS[label](), torch.Generator().manual_seed(0)
    draws = [degradation.sample(rng) for _ in range(200)]
    for name, unit in degradation.units().items():
        low, high = getattr(degradation, name)
        values = [drawn[name] for drawn in draws]
        assert low <= min(values) <= max(values) <= high
        assert min(values) < max(values) or low == high
        assert not unit.whole or all(value == int(value) for value in values)
        middle = math.sqrt(low * high) if unit.log else (low + high) / 2
        above = sum(value > middle for value in values)
        assert low == high or 60 <= above <= 140  # half of 200, and 5.6 standard deviations of it
    again = degradation.sample(torch.Generator().manual_seed(0))
    assert again == draws[0]
    clean = picture(16, 16)
    replay = [degradation.degrade(clean, torch.Generator().manual_seed(9), draws[0]) for _ in range(2)]
    assert torch.equal(*replay)


@every_degradation
def test_the_ends_of_each_range_are_the_ends_of_the_fraction(label: str) -> None:
    degradation = DEGRADATIONS[label]()
    for end, place in ((0.0, 0), (1.0, 1)):
        values = degradation.at(dict.fromkeys(degradation.units(), end))
        assert values == pytest.approx({name: getattr(degradation, name)[place] for name in degradation.units()})


@every_degradation
def test_the_text_form_builds_the_catalogues_member(label: str) -> None:
    kind = DEGRADATIONS[label]
    assert parse(label) == kind()
    assert parse(f" {label.replace('_', '-')} ( ) ") == kind()
    fields = {name: getattr(kind(), name) for name in kind.units()}
    ranges = ", ".join(f"{name}={low}..{high}" for name, (low, high) in fields.items())
    assert parse(f"{label}({ranges})") == kind()
    single = ",".join(f"{name} = {high}" for name, (_, high) in fields.items())
    assert parse(f"{label}({single})") == replace(kind(), **{name: (high, high) for name, (_, high) in fields.items()})


@with_severities
def test_a_value_out_of_range_is_refused_by_field_value_and_range(label: str) -> None:
    for name, unit in DEGRADATIONS[label].units().items():
        low, high = unit.limits
        for text in (f"{high + 1:.10g}", f"{low - 1:.10g}", "nan", "inf"):
            expected = rf"{label}: {name} is {re.escape(text)}; .*within {low:g} to {high:g}"
            with pytest.raises(UndegradeError, match=expected) as caught:
                parse(f"{label}({name}={text})")
            assert unit.text in str(caught.value)
        with pytest.raises(UndegradeError, match=f"{label}: {name} is"):
            parse(f"{label}({name}={high}..{low})")


@every_degradation
def test_an_unknown_field_is_refused_with_those_that_exist(label: str) -> None:
    with pytest.raises(UndegradeError, match=rf"{label}: unknown field 'strenght'") as caught:
        parse(f"{label}(strenght=3)")
    for name in DEGRADATIONS[label].units():
        assert name in str(caught.value)


@every_degradation
def test_a_misspelt_name_suggests_the_nearest(label: str) -> None:
    misspelt = label[:-2] + label[-1] if len(label) > 4 else label + "e"
    assert misspelt not in DEGRADATIONS
    with pytest.raises(UndegradeError, match=rf"unknown degradation '{misspelt}'; did you mean '{label}'\?"):
        parse(misspelt)


def test_a_name_like_no_other_lists_them_all() -> None:
    with pytest.raises(UndegradeError, match="unknown degradation 'zzz'; known are ") as caught:
        parse("zzz")
    for label in DEGRADATIONS:
        assert label in str(caught.value)


@pytest.mark.parametrize("text", ["", "noise(sigma=5", "noise sigma=5", "noise(5)", "noise(sigma)", "noise(sigma=)"])
def test_text_that_cannot_be_read_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UndegradeError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["five", "1..2..3", "..", "1-2"])
def test_a_value_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(UndegradeError, match=rf"noise: sigma is '{re.escape(value)}'; expected a number, or a range"):
        parse(f"noise(sigma={value})")


@every_degradation
def test_members_are_frozen(label: str) -> None:
    with pytest.raises(FrozenInstanceError):
        DEGRADATIONS[label]().label = "other"  # type: ignore[misc]
