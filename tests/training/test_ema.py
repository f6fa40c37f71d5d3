import pytest
import torch
from torch import nn

from undegrade.batch import Batch
from undegrade.recipes import RECIPES
from undegrade.training.ema import Ema
from undegrade.training.loop import Step
from undegrade.training.run import build


def step(number: int) -> Step:
    return Step(number=number, scalars={}, lr=0.0, optimizer=torch.optim.SGD([torch.zeros(1, requires_grad=True)]))


def test_it_is_the_formula_with_a_decay_that_starts_small() -> None:
    model = nn.Linear(3, 2)
    ema = Ema(model, 0.9)
    expected = model.weight.detach().clone()
    for number in range(1, 200):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3, generator=torch.Generator().manual_seed(number)))
        ema(step(number))
        decay = min(0.9, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    torch.testing.assert_close(ema.average.weight, expected)


def test_the_model_itself_is_not_moved() -> None:
    model = nn.Linear(3, 2)
    ema = Ema(model, 0.99)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        ema.average.weight.zero_()
    ema(step(1))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_the_average_is_in_evaluation_mode_and_takes_no_gradient() -> None:
    ema = Ema(nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train(), 0.9)
    assert not any(module.training for module in ema.average.modules())
    assert not any(parameter.requires_grad for parameter in ema.average.parameters())


def test_the_statistics_of_batch_norms_are_the_models() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3)).train()
    ema = Ema(model, 0.999)
    for number in range(1, 4):
        model(torch.rand(4, 3, 5, 5) * number)
        ema(step(number))
    assert torch.equal(ema.average[0].running_mean, model[0].running_mean)
    assert torch.equal(ema.average[0].running_var, model[0].running_var)
    assert ema.average[0].num_batches_tracked == 3


def test_settled_statistics_are_those_of_the_averaged_weights() -> None:
    model = build(RECIPES["universal-small-debug"]()).train()
    pictures = torch.rand(4, 3, 32, 32)
    batch = Batch(degraded=pictures, clean=pictures, label=torch.zeros(4, dtype=torch.int64))
    ema = Ema(model, 0.9, [batch])
    expected = ema.average.classifier(ema.average.network.features(pictures))  # statistics 0 and 1
    settled = ema.settled()
    assert not any(module.training for module in settled.modules())
    norm = settled.classifier.bottleneck_layers[0][0].conv1
    seen: list[torch.Tensor] = []
    handle = norm.norm.register_forward_hook(lambda module, given, out: seen.append(out))
    named = settled.classifier(settled.network.features(pictures))
    handle.remove()
    assert not torch.allclose(named, expected)
    assert seen[0].mean((0, 2, 3)).abs().max() < 1e-3
    assert (seen[0].std((0, 2, 3)) - 1).abs().max() < 0.05


def test_norms_that_keep_still_are_not_measured_anew() -> None:
    model = build(RECIPES["universal-small-debug"]()).train()
    model.classifier.requires_grad_(False)
    pictures = torch.rand(4, 3, 32, 32)
    batch = Batch(degraded=pictures, clean=pictures, label=torch.zeros(4, dtype=torch.int64))
    settled = Ema(model, 0.9, [batch]).settled()
    for key, value in model.classifier.state_dict().items():
        assert torch.equal(settled.classifier.state_dict()[key], value)


@pytest.mark.parametrize("number", [1, 10])
def test_constant_weights_are_their_own_average(number: int) -> None:
    model = nn.Linear(4, 4)
    ema = Ema(model, 0.9)
    for n in range(number):
        ema(step(n + 1))
    torch.testing.assert_close(ema.average.weight, model.weight.detach())
