import pytest

from undegrade.data.layouts import LAYOUTS, Rule

# layout -> a degraded picture, its clean one, its label
EXAMPLES = [
    ("input_target", "input/a", "target/a", None),
    ("input_target", "train/scene 1/input/b.c/a", "train/scene 1/target/b.c/a", None),
    ("lq_gt", "lq/0001", "gt/0001", None),
    ("lq_gt", "DIV2K/LQ/0001", "DIV2K/gt/0001", None),
    ("gopro", "train/GOPR0372_07_00/blur/000047", "train/GOPR0372_07_00/sharp/000047", None),
    ("gopro", "blur/000047", "sharp/000047", None),
    ("reside", "hazy/1400_1", "clear/1400_1", None),
    ("lol", "our485/low/2", "our485/high/2", None),
    ("rain13k", "train/Rain13K/input/9", "train/Rain13K/target/9", None),
    ("rain13k", "Rain100L/rain-001", "Rain100L/norain-001", None),
    ("rain13k", "rain/norain-001x2", "norain/norain-001", None),
    ("snow100k", "all/synthetic/beautiful_smile_00003", "all/gt/beautiful_smile_00003", None),
    ("source_target", "train_c/source/1P0A0917", "train_c/target/1P0A0917", None),
    ("source_target", "train/source/src_00012", "train/target/tar_00012", None),
    ("raindrop", "train/data/17_rain", "train/gt/17_clean", None),
    ("sidd", "Data/0001_001_S6/0001_NOISY_SRGB_010", "Data/0001_001_S6/0001_GT_SRGB_010", None),
    ("cdd11", "CDD-11_train/haze_rain/00001", "CDD-11_train/clear/00001", "haze_rain"),
    ("cdd11", "low/00001", "clear/00001", "low"),
]


@pytest.mark.parametrize(("layout", "degraded", "clean", "label"), EXAMPLES)
def test_the_first_rule_that_fits_names_the_clean_picture(
    layout: str, degraded: str, clean: str, label: str | None
) -> None:
    rules = LAYOUTS[layout].rules
    assert next(fit for rule in rules if (fit := rule.clean_name(degraded))) == (clean, label)
    assert any(rule.is_clean(clean) for rule in rules)
    assert not any(rule.clean_name(clean) for rule in rules)


def test_one_clear_picture_serves_many_hazy_ones() -> None:
    found = [rule.clean_name("OTS/hazy/0005_0.8_0.04") for rule in LAYOUTS["reside"].rules]
    assert ("OTS/clear/0005", None) in found
    assert ("OTS/gt/0005", None) in found


@pytest.mark.parametrize("name", ["input", "input.png", "inputs/a", "my-input/a", "target/a", "norain-001"])
def test_other_names_fit_no_rule(name: str) -> None:
    assert not any(rule.clean_name(name) for rule in LAYOUTS["rain13k"].rules)


def test_names_are_text_and_not_expressions() -> None:
    rule = Rule(degraded="a.b/{name}", clean="c+d/{name}")
    assert rule.clean_name("axb/1") is None
    assert rule.clean_name("a.b/{name}") == ("c+d/{name}", None)
    assert rule.is_clean("c+d/1")


def test_every_layout_says_what_it_is() -> None:
    assert all(layout.about for layout in LAYOUTS.values())
    assert [name for name, layout in LAYOUTS.items() if not layout.rules] == ["clean"]
