import pytest
import torch

from undegrade.degradations import DEGRADATIONS, parse
from undegrade.errors import UndegradeError


def test_a_number_is_a_range_of_one() -> None:
    assert DEGRADATIONS["noise"](sigma=25) == parse("noise(sigma=25)") == parse("noise(sigma=25..25)")  # type: ignore[call-arg]


def test_half_a_step_of_a_whole_severity_is_refused() -> None:
    with pytest.raises(UndegradeError, match=r"jpeg: quality is .*expected whole numbers"):
        parse("jpeg(quality=50.5)")


def test_a_field_given_twice_is_refused() -> None:
    with pytest.raises(UndegradeError, match="noise: sigma is given twice"):
        parse("noise(sigma=1, sigma=2)")


def test_printed_severities_replay_the_same_pixels() -> None:
    clean = torch.rand((3, 24, 24), generator=torch.Generator().manual_seed(0))
    for seed, (label, kind) in enumerate(DEGRADATIONS.items()):
        drawn = kind().sample(torch.Generator().manual_seed(seed))
        text = ", ".join(f"{name}={value:g}" for name, value in drawn.items())
        printed = parse(f"{label}({text})").middle()
        assert printed == drawn
        rng = [torch.Generator().manual_seed(9) for _ in range(2)]
        assert torch.equal(kind().degrade(clean, rng[0], drawn), kind().degrade(clean, rng[1], printed))


def test_log_severities_stay_within_their_ends() -> None:
    for kind in DEGRADATIONS.values():
        degradation = kind()
        for fraction in (0.0, 1.0):
            for name, value in degradation.at(dict.fromkeys(degradation.units(), fraction)).items():
                low, high = getattr(degradation, name)
                assert low <= value <= high
