"""PIP against the published network: what it answers to each kind, and the ways of the skip to ask the prompt."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from undegrade.networks import DegradationClassifier, PIPNAFNet, PIPRestormer, UniversalRestorer
from undegrade.networks.pip import CrossInteraction, crowding
from undegrade.networks.published import Weights, recognise

TOLERANCE = 1e-4  # ours is below 3e-6
KINDS = 7
MAPS = {  # a stored map, and every how many channels and pixels of it are stored
    "prompt3.LGM": (4, 2),
    "prompt3.outconv": (4, 2),
    "prompt2.outconv": (4, 2),
    "prompt1.outconv": (8, 4),
    "low_prompt_interaction_level1": (8, 4),
    "low_prompt_interaction_level3": (4, 2),
}


@pytest.fixture
def network(our_weights: Callable, drawn_weights: Callable) -> Callable[[str], PIPRestormer]:
    def build(name: str) -> PIPRestormer:
        config = recognise(Weights(path=Path(name), tensors=drawn_weights(name))).config
        network = PIPRestormer(config)
        network.load_state_dict(our_weights(name))
        return network.eval()

    return build


@pytest.mark.parametrize(
    ("name", "interaction"),
    [("pip_cross_topm", "top_m"), ("pip_cross", "cross"), ("convgate", "conv_gate"), ("promptir_gate", "block_gate")],
)
@torch.no_grad()
def test_told_the_kind_it_answers_as_published(
    name: str, interaction: str, network: Callable, golden: Callable, picture: Callable, deviation: Callable
) -> None:
    built, published = network(f"pip_{name}"), golden(f"pip_{name}")
    assert built.config.interaction == interaction
    maps: dict[str, Tensor] = {}
    for key in MAPS:
        built.get_submodule(key).register_forward_hook(lambda _, __, out, key=key: maps.update({key: out}))
    given = torch.from_numpy(np.random.default_rng(0).random((2, 3, 32, 40), dtype=np.float32))
    kinds = torch.nn.functional.one_hot(torch.tensor([3, 5]), KINDS).float()
    ours = built.reconstruct(given, built.told_features(given, kinds))
    assert deviation(ours, published["output"]) < TOLERANCE
    for key, (channels, pixels) in MAPS.items():
        if key.replace(".", "_") in published:
            stored = published[key.replace(".", "_")]
            assert deviation(maps[key][:, ::channels, ::pixels, ::pixels], stored) < TOLERANCE, key
    if "output_mixed" in published:  # two kinds at once, in equal parts
        pairs = torch.nn.functional.one_hot(torch.tensor([[0, 3], [4, 6]]), KINDS).float().mean(1)
        mixed = built.reconstruct(given, built.told_features(given, pairs))
        assert deviation(mixed, published["output_mixed"]) < TOLERANCE
        for level in (1, 2, 3):
            prompts = built.get_parameter(f"prompt{level}.detask_prompt_param")
            angle = crowding(prompts)[None].numpy()
            np.testing.assert_allclose(angle, published[f"reg_angle_{level}"], rtol=TOLERANCE)
        cosine = crowding(built.get_parameter("prompt1.detask_prompt_param"), "cosine")[None].numpy()
        np.testing.assert_allclose(cosine, published["reg_cosine_1"], rtol=TOLERANCE)


@torch.no_grad()
def test_of_a_skip_with_more_channels_than_the_prompt_the_rest_stays_out(
    golden: Callable, drawn_weights: Callable, deviation: Callable
) -> None:
    module = CrossInteraction(40, 24, 4, top_m=True)
    module.load_state_dict(drawn_weights("pip_p2f_wide_feature"))
    x, prompt = (
        torch.from_numpy(np.random.default_rng(seed).random((1, channels, 12, 14), dtype=np.float32))
        for seed, channels in ((1, 40), (2, 24))
    )
    assert deviation(module(x, prompt), golden("pip_p2f_wide_feature")["output"]) < TOLERANCE


def test_a_guide_of_another_number_of_kinds_is_refused() -> None:
    network = PIPNAFNet(PIPNAFNet.Config(width=8, encoder=(1,), decoder=(1,), prompt_channels=(8,), prompt_sides=(4,)))
    with pytest.raises(ValueError, match=r"guide is \(1, 3\); it must have 5 columns"):
        network.told_features(torch.rand(1, 3, 8, 8), torch.ones(1, 3))


def test_a_model_is_drawn_by_the_name_it_gave() -> None:
    config = PIPNAFNet.Config(
        width=8, encoder=(1,), decoder=(1,), prompt_channels=(8,), prompt_sides=(4,), degradations=2
    )
    torch.manual_seed(0)
    head = DegradationClassifier.Config(num_blocks=1, max_channels=8)
    model = UniversalRestorer(PIPNAFNet(config), head, ("clean", "noise"), sharpness=1e6).eval()
    given = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        answer, logits = model(given)
        told = torch.nn.functional.one_hot(logits.argmax(1), 2).float()
        assert torch.allclose(answer, model.answer(given, told)[0], atol=1e-6)
        assert not torch.allclose(answer, model.answer(given, 1 - told)[0], atol=1e-3)
    with pytest.raises(ValueError, match="degradations are 2; labels are 1"):
        UniversalRestorer(PIPNAFNet(config), head, ("clean",))
