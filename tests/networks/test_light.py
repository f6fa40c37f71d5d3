import pytest
import torch

from undegrade.networks.light import LOCAL, STEEP, Light

NUMBERS = 8


@pytest.fixture
def light() -> Light:
    """Two kinds, with random lines."""
    torch.manual_seed(0)
    made = Light(2, NUMBERS).eval()
    with torch.no_grad():
        made.whole_lines.normal_()
        made.square_lines.normal_()
    return made


def added(light: Light, image: torch.Tensor, *guide: float) -> torch.Tensor:
    with torch.no_grad():
        return light(image, image, torch.tensor([guide]), 1)[0]


def test_where_nothing_is_to_be_removed_nothing_is_added(light: Light) -> None:
    image = torch.rand(2, 3, 2 * LOCAL, 3 * LOCAL)
    assert not added(light, image, 0.0, 0.0).any()
    assert added(light, image, 0.0, 1.0).abs().min() > 0


def test_what_is_added_is_a_line_of_the_values(light: Light) -> None:
    with torch.no_grad():
        light.whole2.weight.zero_()
        light.whole2.bias.fill_(1)  # type: ignore[union-attr]
        light.square_lines.zero_()
        light.whole_lines[0] = torch.tensor([0.5, 0, 1, 0, 0.25, 0]) / NUMBERS
    image = torch.rand(1, 3, LOCAL, LOCAL)
    expected = torch.stack([STEEP * 0.5 * image[0, 0], torch.full((LOCAL, LOCAL), 0.25), STEEP * image[0, 2]])
    torch.testing.assert_close(added(light, image, 1.0, 0.0)[0], expected)


def test_it_sees_how_dark_the_darkest_parts_are(light: Light) -> None:
    """A few black pixels move no mean by much, but they say that there is no haze."""
    image = torch.full((1, 3, 4 * LOCAL, 4 * LOCAL), 0.7)
    clear = image.clone()
    clear[..., ::4, ::4] = 0
    with torch.no_grad():
        hazy, other = (light(given, given, torch.tensor([[1.0, 0.0]]), 1)[1] for given in (image, clear))
    assert (hazy - other).abs().max() > 0.05


def test_borders_are_no_darkness(light: Light) -> None:
    flat = added(light, torch.full((1, 3, 3 * LOCAL, 3 * LOCAL), 0.4), 1.0, 1.0)
    torch.testing.assert_close(flat, flat[..., :1, :1].expand_as(flat))


def test_each_square_has_a_line_of_its_own(light: Light) -> None:
    image = torch.full((1, 3, 2 * LOCAL, 8 * LOCAL), 0.4)
    image[..., : LOCAL * 2] = 0.8
    found = added(light, image, 1.0, 0.0)[0, :, LOCAL]
    far, near = found[:, 6 * LOCAL :], found[:, 2 * LOCAL + 1]  # of what is bright
    torch.testing.assert_close(far, far[:, :1].expand_as(far))
    assert (near - far[:, 0]).abs().max() > 1e-3
