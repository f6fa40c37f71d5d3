"""Checkpoints: what was saved comes back, and a file that does not fit is refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from undegrade.errors import UndegradeError
from undegrade.networks import DegradationClassifier, NAFNet, UniversalRestorer
from undegrade.networks.checkpoint import digest, load_checkpoint, read_header, save_checkpoint

LABELS = ("clean", "noise", "haze")


def small_model(seed: int = 0) -> UniversalRestorer:
    torch.manual_seed(seed)
    network = NAFNet(NAFNet.Config(width=8, encoder=(1, 1), decoder=(1, 2), unshuffle=2))
    model = UniversalRestorer(network, DegradationClassifier.Config(num_blocks=1, max_channels=8), LABELS).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_checkpoint(small_model(), path, recipe={"kind": "recipe", "name": "small"})
    return path


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The same weights under a changed header."""
    header = read_header(path)
    change(header)
    save_file(load_file(path), path, metadata={"undegrade": json.dumps(header)})


@torch.no_grad()
def test_float32_comes_back_exactly(tmp_path: Path) -> None:
    path, model = tmp_path / "exact.safetensors", small_model()
    save_checkpoint(model, path, half=False)
    again = load_checkpoint(path)
    assert again.labels == LABELS
    assert again.network.config == model.network.config
    assert again.classifier.config == model.classifier.config
    assert not again.training
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in again.state_dict().items())
    image = torch.rand(1, 3, 17, 22)
    for ours, theirs in zip(again(image), model(image), strict=True):
        assert torch.equal(ours, theirs)


@torch.no_grad()
def test_float16_comes_back_nearly_at_half_the_size(tmp_path: Path) -> None:
    whole, half, model = tmp_path / "whole.safetensors", tmp_path / "half.safetensors", small_model()
    save_checkpoint(model, whole, half=False)
    save_checkpoint(model, half)
    again = load_checkpoint(half)
    for key, value in again.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, model.state_dict()[key], rtol=2**-11, atol=1e-7)
    image = torch.rand(1, 3, 16, 24)
    assert (again(image)[0] - model(image)[0]).abs().max() < 2e-3
    saving = whole.stat().st_size - half.stat().st_size
    assert saving == pytest.approx(2 * sum(p.numel() for p in model.parameters()), rel=0.02)


def test_the_header_describes_the_model_and_how_it_was_made(saved: Path) -> None:
    header = read_header(saved)
    assert header["network"] == "nafnet"
    assert header["config"]["unshuffle"] == 2
    assert header["labels"] == list(LABELS)
    assert header["recipe"] == {"kind": "recipe", "name": "small"}
    assert header["sha256"] == digest(load_file(saved))


def test_saving_replaces_the_old_file_and_leaves_nothing_else(saved: Path) -> None:
    save_checkpoint(small_model(seed=1), saved)
    assert list(saved.parent.iterdir()) == [saved]
    expected = small_model(seed=1).state_dict()["network.intro.weight"]
    torch.testing.assert_close(load_checkpoint(saved).state_dict()["network.intro.weight"], expected, rtol=1e-3, atol=0)


def test_one_changed_bit_is_noticed(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-1000] ^= 1
    saved.write_bytes(data)
    with pytest.raises(UndegradeError, match=r"small\.safetensors: the weights do not match their recorded sha256"):
        load_checkpoint(saved)


def test_digest_depends_on_names_kinds_and_shapes() -> None:
    values = torch.arange(6, dtype=torch.float32)
    variants = [
        {"a": values},
        {"b": values},
        {"a": values.reshape(2, 3)},
        {"a": values.view(torch.int32)},
        {"a": values[:3], "b": values[3:]},
    ]
    assert len({digest(v) for v in variants}) == len(variants)
    assert digest({"a": values, "b": values}) == digest({"b": values.clone(), "a": values})


def widen(header: dict[str, Any]) -> None:
    header["config"]["width"] = 16


def unknown_field(header: dict[str, Any]) -> None:
    header["config"]["depth"] = 3


def impossible_value(header: dict[str, Any]) -> None:
    header["config"]["unshuffle"] = 0


def one_label_more(header: dict[str, Any]) -> None:
    header["labels"].append("rain")


@pytest.mark.parametrize("change", [widen, unknown_field, impossible_value, one_label_more])
def test_a_configuration_that_does_not_fit_is_refused(saved: Path, change: Callable[[dict[str, Any]], None]) -> None:
    rewrite(saved, change)
    with pytest.raises(UndegradeError, match=r"small\.safetensors: the weights do not fit the recorded configuration"):
        load_checkpoint(saved)


def test_what_does_not_fit_is_named(saved: Path) -> None:
    rewrite(saved, widen)
    with pytest.raises(UndegradeError, match=r"of another shape: network\.\S+ .*more\)\); get the file anew$"):
        load_checkpoint(saved)


def test_another_network_and_another_version_are_refused(saved: Path) -> None:
    rewrite(saved, lambda header: header.update(network="mystery"))
    with pytest.raises(UndegradeError, match=r"small\.safetensors: network 'mystery' is unknown; known are nafnet"):
        load_checkpoint(saved)
    rewrite(saved, lambda header: header.update(version=99))
    with pytest.raises(UndegradeError, match=r"small\.safetensors: header version 99"):
        load_checkpoint(saved)


@pytest.mark.parametrize("field", ["sha256", "network", "config", "classifier", "labels", "steered"])
def test_an_incomplete_header_is_refused_by_name(saved: Path, field: str) -> None:
    rewrite(saved, lambda header: header.pop(field))
    with pytest.raises(UndegradeError, match=rf"small\.safetensors: .*{field}"):
        load_checkpoint(saved)


def test_a_garbled_header_is_refused_by_name(saved: Path) -> None:
    save_file(load_file(saved), saved, metadata={"undegrade": "{version: 1"})
    with pytest.raises(UndegradeError, match=r"small\.safetensors: "):
        read_header(saved)


def not_safetensors(path: Path) -> None:
    path.write_text("weights, surely")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_off(path: Path) -> None:
    save_checkpoint(small_model(), path)
    path.write_bytes(path.read_bytes()[:-500])


def missing(path: Path) -> None:
    assert not path.exists()


def a_folder(path: Path) -> None:
    path.mkdir()


def foreign(path: Path) -> None:
    save_file({"a": torch.zeros(2)}, path)


@pytest.mark.parametrize("spoil", [not_safetensors, empty, cut_off, missing, a_folder, foreign])
@pytest.mark.parametrize("read", [load_checkpoint, read_header])
def test_what_is_no_checkpoint_is_named_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], read: Callable[[Path], object]
) -> None:
    path = tmp_path / "strange.safetensors"
    spoil(path)
    with pytest.raises(UndegradeError, match=r"strange\.safetensors: .*; expected") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_foreign_file_is_readable_but_has_no_header(tmp_path: Path) -> None:
    foreign(path := tmp_path / "strange.safetensors")
    with safe_open(path, framework="pt") as file:
        assert file.metadata() is None
    with pytest.raises(UndegradeError, match="no undegrade header"):
        read_header(path)
