"""Weights that a model begins with; `test_run.py` has a whole run that does."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from undegrade.errors import UndegradeError
from undegrade.networks import DegradationClassifier, GuidedCascade, GuidedUNet, UniversalRestorer
from undegrade.networks.base import RestorationNetwork
from undegrade.networks.checkpoint import save_checkpoint
from undegrade.training.start import start_from

LABELS = ("clean", "noise", "rain")
FIRST = {"channels": (8, 8), "encoder": (1,), "decoder": (1,), "degradations": len(LABELS), "glance": 8}
HEAD = DegradationClassifier.Config(num_blocks=1, max_channels=8)
CASCADE = GuidedCascade.Config(**FIRST, wider=(8, 8), deeper=(1,), finished=(1,))  # type: ignore[arg-type]


def model(network: RestorationNetwork) -> UniversalRestorer:
    return UniversalRestorer(network, HEAD, LABELS)


def test_a_cascade_begins_with_its_first_network_or_with_both(tmp_path: Path) -> None:
    for given in (GuidedUNet(GuidedUNet.Config(**FIRST)), GuidedCascade(CASCADE)):  # type: ignore[arg-type]
        source, begun = model(given), model(GuidedCascade(CASCADE))
        save_checkpoint(source, tmp_path / "given.safetensors", half=False)
        said = start_from(begun, tmp_path / "given.safetensors")
        whole = isinstance(given, GuidedCascade)
        assert said.endswith(": network, classifier" if whole else ": the first network, classifier")
        taken = begun.network.state_dict() if whole else begun.network.first.state_dict()  # type: ignore[union-attr]
        for name, value in given.state_dict().items():
            assert torch.equal(taken[name], value)
    turned = UniversalRestorer(GuidedCascade(CASCADE), HEAD, LABELS[::-1])
    assert "begun afresh: classifier" in start_from(turned, tmp_path / "given.safetensors")
    with pytest.raises(UndegradeError, match=r"its classifier is not the recipe's \(other labels or shapes\)"):
        start_from(turned, tmp_path / "given.safetensors", whole=True)
    with pytest.raises(UndegradeError, match="holds a GuidedCascade; the recipe trains a GuidedUNet"):
        start_from(model(GuidedUNet(GuidedUNet.Config(**FIRST))), tmp_path / "given.safetensors")  # type: ignore[arg-type]
    other = model(GuidedCascade(replace(CASCADE, glance=10)))
    save_checkpoint(model(GuidedUNet(GuidedUNet.Config(**FIRST))), tmp_path / "first.safetensors")  # type: ignore[arg-type]
    with pytest.raises(UndegradeError, match=r"the network's glance is 8, the recipe's 10; set network\.glance"):
        start_from(other, tmp_path / "first.safetensors")
