import math
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from undegrade.errors import UndegradeError
from undegrade.evaluation.filters import (
    NUM_JUDGED,
    effective_rank,
    filter_layers,
    judge_filters,
    random_entropy,
    variance_entropy,
    weight_ranks,
)
from undegrade.evaluation.inspection import (
    Inspection,
    count_macs,
    inspect,
    measured_layers,
    reach_of,
    sample_picture,
)
from undegrade.evaluation.inspection_page import page, write_page
from undegrade.networks import DegradationClassifier, NAFNet, SwinIR, UniversalRestorer

SIDE = 32
EMPTY = {"meta", "link", "br", "img", "hr", "input"}  # elements of HTML without an end


@pytest.fixture(scope="module")
def found() -> Inspection:
    torch.manual_seed(0)
    network = NAFNet(NAFNet.Config(width=4, encoder=(1, 1), decoder=(1, 1)))
    model = UniversalRestorer(network, DegradationClassifier.Config(), ("clean", "a<b"), steered=True)
    return inspect("a & b", model, side=SIDE)


def conv(inputs: int, outputs: int, weight: float | None = None) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    if weight is not None:
        nn.init.constant_(layer.weight, weight)
    return layer


def test_parameters_and_multiply_adds_of_known_layers() -> None:
    model = nn.Sequential(conv(3, 8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 5, 2, stride=2))
    image = torch.rand(1, 3, 10, 12)
    layers, _ = measured_layers(model, image, repeats=1)
    assert [layer.parameters for layer in layers] == [8 * 27 + 8, 0, 8 * 9 + 8, 5 * 32 + 5]
    assert [layer.macs for layer in layers] == [8 * 27 * 120, 0, 8 * 9 * 120, 5 * 32 * 30]
    assert [layer.kind for layer in layers] == ["Conv2d 3 x 3", "ReLU", "Conv2d 3 x 3 depthwise", "Conv2d 2 x 2"]
    assert count_macs(model, image) == sum(layer.macs for layer in layers)


class Slow(nn.Module):
    """Adds up what takes long; its parameter makes it a layer although there is one inside."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.gain = nn.Identity(), nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(40):
            x = torch.sin(x)
        return self.inner(self.inner(x))


def test_time_goes_to_the_layer_that_takes_it_and_to_none_twice() -> None:
    model = nn.Sequential(nn.ReLU(), Slow())
    layers, elsewhere = measured_layers(model, torch.rand(1, 3, 200, 200), repeats=3)
    share = {layer.name: layer.share for layer in layers}
    assert set(share) == {"0", "1", "1.inner"}
    assert share["1"] > 0.7
    total = sum(layer.seconds for layer in layers) + elsewhere
    assert sum(share.values()) == pytest.approx(1 - elsewhere / total)


def test_a_failing_pass_leaves_no_hooks() -> None:
    model = conv(3, 3)
    with pytest.raises(RuntimeError, match="channels"):
        measured_layers(model, torch.rand(1, 4, 8, 8))
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_filters_of_one_pattern_have_no_entropy_and_rank_one() -> None:
    pattern, gains = torch.tensor([1.0, 2, 1, 0, 0, 0, -1, -2, -1]), torch.linspace(-2, 3, 40)
    filters = gains[:, None] * pattern
    assert variance_entropy(filters) == pytest.approx(0, abs=1e-9)
    assert effective_rank(filters) == pytest.approx(1, abs=1e-6)
    assert judge_filters("sobel", filters).verdict == "low diversity"


def test_entropy_and_rank_of_equal_axes_are_the_largest() -> None:
    axes = torch.cat([torch.eye(9), -torch.eye(9)])
    assert variance_entropy(axes) == pytest.approx(math.log10(9))
    assert effective_rank(axes) == pytest.approx(9)
    two = torch.diag(torch.tensor([3.0, 1.0]))  # shares 3/4 and 1/4
    assert effective_rank(two) == pytest.approx(math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4)))


@pytest.mark.parametrize("count", [4, 16, 64, 512])
def test_the_curve_of_random_filters_is_the_least_of_simulations(count: int) -> None:
    rng = torch.Generator().manual_seed(0)
    drawn = [variance_entropy(torch.randn(count, 9, generator=rng)) for _ in range(300)]
    assert random_entropy(count) == pytest.approx(min(drawn), abs=0.06)
    if count >= NUM_JUDGED:
        assert judge_filters("random", torch.randn(count, 9, generator=rng)).verdict == "random"


def test_filters_with_some_order_are_neither_random_nor_alike() -> None:
    rng = torch.Generator().manual_seed(0)
    filters = torch.randn(512, 9, generator=rng) * torch.tensor([3.0, 2, 2, 1, 1, 1, 1, 0.5, 0.5])
    judged = judge_filters("ordered", filters)
    assert (judged.verdict, judged.num_sparse, judged.num_degenerate) == ("", 0, 0)


def test_sparse_filters_are_counted() -> None:
    assert judge_filters("zeros", torch.zeros(6, 9)).num_sparse == 6
    rng = torch.Generator().manual_seed(0)
    filters = torch.randn(512, 9, generator=rng) * torch.tensor([3.0, 2, 2, 1, 1, 1, 1, 0.5, 0.5])
    peak = filters.abs().max()
    filters[:5], filters[5] = 0, 0
    filters[3, 4], filters[4, 4], filters[5, 0] = 0.009 * peak, -0.009 * peak, 0.02 * peak
    judged = judge_filters("some", filters)
    assert (judged.num_sparse, judged.num_degenerate) == (5, 5)


def test_few_filters_are_not_judged() -> None:
    same = torch.ones(NUM_JUDGED, 9)
    assert judge_filters("enough", same).verdict == "low diversity"
    assert judge_filters("few", same[1:]).verdict == ""
    assert effective_rank(torch.zeros(3, 4)) == 0


def test_only_kernels_of_three_are_filters_and_all_weights_have_ranks() -> None:
    model = nn.Sequential(conv(2, 4), nn.Conv2d(4, 4, 1), nn.ConvTranspose2d(4, 2, 3), nn.Linear(7, 3))
    assert [(layer.name, layer.num_filters) for layer in filter_layers(model)] == [("0", 8), ("2", 8)]
    assert [(rank.rows, rank.columns, rank.full) for rank in weight_ranks(model)][:1] == [(4, 18, 4)]
    assert [rank.name for rank in weight_ranks(model)] == ["0", "1", "2", "3"]


def test_the_receptive_field_of_two_convolutions_is_five() -> None:
    reach = reach_of(nn.Sequential(conv(1, 2, 0.1), conv(2, 3, 0.1)), torch.rand(1, 1, 21, 20))
    assert (reach.support, reach.bounded) == (5, True)
    # The energies of a row of (1, 2, 3, 2, 1) by itself: 9 of 19 in the middle, 17 of 19 within one pixel.
    assert reach.within[:3] == pytest.approx([(9 / 19) ** 2, (17 / 19) ** 2, 1], abs=1e-5)
    assert reach.half_width == 2


def test_a_field_as_wide_as_the_picture_is_not_bounded() -> None:
    reach = reach_of(lambda image: image - image.mean((2, 3), keepdim=True), torch.rand(1, 1, 16, 16))
    assert (reach.support, reach.bounded, reach.half_width) == (17, False, 0)
    assert reach_of(lambda image: 0 * image, torch.rand(1, 3, 8, 8)).support == 0


def test_an_inspection_agrees_with_itself(found: Inspection) -> None:
    assert found.network == "NAFNet"
    assert sum(layer.parameters for layer in found.layers) == found.parameters
    assert sum(layer.macs for layer in found.layers) == found.macs > 0
    assert found.seconds == pytest.approx(sum(layer.seconds for layer in found.layers) + found.elsewhere)
    assert found.field == "whole picture"
    assert [(rank.rows, rank.columns) for rank in found.features] == [(8, 256), (4, 1024)]
    assert all(0 <= rank.rank <= rank.full * (1 + 1e-9) for rank in (*found.features, *found.ranks))
    answers = next(layer for layer in found.filters if layer.name == "answers")
    assert answers.num_sparse == answers.num_degenerate == 4 * 3 * 2  # they start at zero
    assert found.sparse_share == sum(layer.num_sparse for layer in found.filters) / found.num_filters
    assert found.degenerate_share >= found.sparse_share > 0


def test_a_network_that_enlarges_gray_pictures_is_inspected() -> None:
    torch.manual_seed(0)
    config = SwinIR.Config(
        width=12, depths=(1,), heads=(2,), in_channels=1, head="pixelshuffledirect", scale=2, relative_positions=True
    )
    found = inspect("gray", UniversalRestorer(SwinIR(config), None, ()), side=SIDE)
    assert found.macs > 0
    assert found.reach.support > 3


def test_the_sample_picture_is_always_the_same_and_smooth() -> None:
    picture = sample_picture(3, 64)
    assert torch.equal(picture, sample_picture(3, 64))
    assert picture.shape == (1, 3, 64, 64)
    assert (picture.min() >= 0) & (picture.max() <= 1)
    assert picture.diff(dim=3).std() < 0.8 * picture.std()  # of white noise it would be 1.4


class Checker(HTMLParser):
    """Collects what is open, what refers elsewhere, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_refers_to_nothing_outside(found: Inspection) -> None:
    text = page(found)
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    assert checker.count["svg"] == 5
    assert checker.count["tr"] == 2 + len(found.layers) + len(found.filters)
    assert "a & b, inspected" in checker.text
    assert all(layer.name in checker.text for layer in found.layers)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert not any(word in text for word in ("http:", "https:", "url(", "@import", "<script", "nan"))


def test_the_page_is_written_or_refused(found: Inspection, tmp_path: Path) -> None:
    write_page(found, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page(found)
    with pytest.raises(UndegradeError, match="cannot be written"):
        write_page(found, tmp_path / "none" / "page.html")


def test_attention_is_counted() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = x.flatten(2).transpose(1, 2)[:, None]  # (1, 1, 64, 3)
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)

    assert count_macs(Attention(), torch.rand(1, 3, 8, 8)) == 2 * 64 * 64 * 3
