"""The network and its naming head together."""

from pathlib import Path

import pytest
import torch

from undegrade.networks import DegradationClassifier, NAFNet, UniversalRestorer
from undegrade.networks.checkpoint import load_checkpoint, save_checkpoint

LABELS = ("clean", "noise", "haze")


def small(*, steered: bool) -> UniversalRestorer:
    torch.manual_seed(0)
    network = NAFNet(NAFNet.Config(width=8, encoder=(1, 1), middle=1, decoder=(1, 1), unshuffle=2))
    return UniversalRestorer(network, DegradationClassifier.Config(max_channels=8), LABELS, steered=steered).eval()


def test_steering_starts_as_the_plain_network() -> None:
    image = torch.rand(2, 3, 21, 35)
    with torch.no_grad():
        plain, steered = small(steered=False)(image), small(steered=True)(image)
    torch.testing.assert_close(steered[0], plain[0])
    torch.testing.assert_close(steered[1], plain[1])


def test_each_label_draws_with_its_own_convolution() -> None:
    model, image = small(steered=True), torch.rand(1, 3, 16, 24)
    assert model.answers is not None
    with torch.no_grad():
        before, logits = model(image)
        # The answer of label 1 is the constant 0.5; it counts by the probability of that label.
        model.answers.bias.view(len(LABELS), -1)[1] = 0.5
        after = model(image)[0]
    expected = before + 0.5 * logits.softmax(1)[0, 1]
    torch.testing.assert_close(after, expected)


def test_sharp_steering_lets_the_likeliest_label_decide(tmp_path: Path) -> None:
    model, image = small(steered=True), torch.rand(1, 3, 16, 24)
    assert model.answers is not None
    with torch.no_grad():
        before, logits = model(image)
        likeliest = int(logits.argmax())
        model.answers.bias.view(len(LABELS), -1)[likeliest] = 0.5
        model.sharpness = 1e4
        torch.testing.assert_close(model(image)[0], before + 0.5)
        save_checkpoint(model, tmp_path / "sharp.safetensors", half=False)
        torch.testing.assert_close(load_checkpoint(tmp_path / "sharp.safetensors")(image)[0], before + 0.5)


def test_the_picture_does_not_bend_the_classifier() -> None:
    model = small(steered=True).train()
    model.forward(torch.rand(1, 3, 16, 16))[0].sum().backward()
    assert model.classifier.fc.weight.grad is None
    assert model.answers is not None
    assert model.answers.weight.grad is not None


def test_a_steered_checkpoint_comes_back(tmp_path: Path) -> None:
    model, image = small(steered=True), torch.rand(1, 3, 16, 16)
    assert model.answers is not None
    torch.nn.init.normal_(model.answers.weight, std=0.1)
    save_checkpoint(model, tmp_path / "model.safetensors", half=False)
    with torch.no_grad():
        torch.testing.assert_close(load_checkpoint(tmp_path / "model.safetensors")(image), model(image))


@torch.no_grad()
def test_without_a_classifier_it_repairs_and_names_nothing(tmp_path: Path) -> None:
    network, image = small(steered=False).network, torch.rand(2, 3, 21, 35)
    model = UniversalRestorer(network, None, ()).eval()
    picture, logits = model(image)
    assert torch.equal(picture, network(image))
    assert logits.shape == (2, 0)
    save_checkpoint(model, tmp_path / "nameless.safetensors", half=False)
    again = load_checkpoint(tmp_path / "nameless.safetensors")
    assert again.labels == ()
    assert torch.equal(again(image)[0], picture)


def test_labels_and_steering_need_a_classifier() -> None:
    network = small(steered=False).network
    with pytest.raises(ValueError, match=r"labels are \('noise',\), kinds are \(\), steered is False; without"):
        UniversalRestorer(network, None, ("noise",))
    with pytest.raises(ValueError, match=r"steered is True; without a classifier"):
        UniversalRestorer(network, None, (), steered=True)
