"""Published checkpoints: what they are wrapped in comes off, and what is no such file is refused in a line."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from undegrade.errors import UndegradeError
from undegrade.networks import DegradationClassifier, NAFNet, UniversalRestorer
from undegrade.networks.checkpoint import load_checkpoint, save_checkpoint
from undegrade.networks.published import Weights, build, read_published, recognise, with_head

TOLERANCE = 1e-4

Drawn = Callable[[str], dict[str, Tensor]]


def as_it_is(weights: dict[str, Tensor]) -> object:
    return weights


def averaged_and_not(weights: dict[str, Tensor]) -> object:
    return {"params": {k: torch.zeros_like(v) for k, v in weights.items()}, "params_ema": weights}


def lightning(weights: dict[str, Tensor]) -> object:
    wrapped = {f"net.{key}": value for key, value in weights.items()}
    return {"epoch": 3, "state_dict": wrapped, "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}]}


def parallel_and_compiled(weights: dict[str, Tensor]) -> object:
    return {"state_dict": {f"module._orig_mod.{key}": value for key, value in weights.items()}}


def twice_wrapped(weights: dict[str, Tensor]) -> object:
    return {"model": {"params": weights}, "iter": 5}


@pytest.mark.parametrize(
    ("wrap", "taken"),
    [
        (as_it_is, ()),
        (averaged_and_not, ("params_ema",)),
        (lightning, ("state_dict", "net.")),
        (parallel_and_compiled, ("state_dict", "module.", "_orig_mod.")),
        (twice_wrapped, ("model", "params")),
    ],
)
@pytest.mark.parametrize("name", ["nafnet", "restormer_dcpt", "swinir_lightsr", "promptir_original"])
def test_wrappers_come_off(
    name: str, wrap: Callable, taken: tuple[str, ...], tmp_path: Path, drawn_weights: Drawn
) -> None:
    weights, path = drawn_weights(name), tmp_path / "published.ckpt"
    torch.save(wrap(weights), path)
    found = recognise(read_published(path))
    assert (*found.weights.wrappers, *found.prefixes) == taken
    key = next(k for k in weights if k in found.tensors)
    assert torch.equal(found.tensors[key], weights[key])
    build(found, found.config)


def test_what_takes_no_part_is_dropped_and_named(drawn_weights: Drawn) -> None:
    block = "layers.0.residual_group.blocks.1"
    buffers = {
        f"{block}.attn_mask": torch.zeros(4, 64, 64),
        f"{block}.attn.relative_position_index": torch.ones(64, 64),
    }
    found = recognise(Weights(path=Path("x"), tensors={**drawn_weights("swinir"), **buffers}))
    assert found.unused == tuple(buffers)
    build(found, found.config)
    unused = recognise(Weights(path=Path("x"), tensors=drawn_weights("promptir_original"))).unused
    assert [key.removesuffix(".weight") for key in unused] == [
        *("chnl_reduce1", "chnl_reduce2", "chnl_reduce3"),
        *("reduce_noise_channel_1", "reduce_noise_channel_2", "reduce_noise_channel_3"),
    ]


def test_half_weights_and_foreign_safetensors(tmp_path: Path, drawn_weights: Drawn) -> None:
    path = tmp_path / "half.safetensors"
    save_file({key: value.half() for key, value in drawn_weights("nafnet").items()}, path)
    weights = read_published(path)
    assert weights.kinds == ("float16",)
    assert all(value.dtype == torch.float32 for value in weights.tensors.values())
    assert recognise(weights).layout.name == "NAFNet (original)"


LABELS = ("rain", "noise", "haze", "low_light", "motion_blur")


@pytest.mark.parametrize("prefix", ["classifier.", "module.classifier.", ""])
@torch.no_grad()
def test_dcpts_classifier_comes_along(
    prefix: str, tmp_path: Path, golden: Callable, drawn_weights: Drawn, picture: Callable, deviation: Callable
) -> None:
    inside = prefix.removesuffix("classifier.") + ("network." if prefix else "")
    network = {f"{inside}{key}": value for key, value in drawn_weights("nafnet_dcpt").items()}
    head = {f"{prefix}{key}": value for key, value in drawn_weights("dcpt_classifier_nafnet").items()}
    torch.save({**network, **head}, tmp_path / "both.pth")
    found = recognise(read_published(tmp_path / "both.pth"))
    model = build(found, found.config, LABELS)
    assert model.labels == LABELS
    save_checkpoint(model, tmp_path / "both.safetensors", half=False)
    _, logits = load_checkpoint(tmp_path / "both.safetensors")(picture(48, 64))
    assert deviation(logits, golden("dcpt_classifier_nafnet")["output"]) < TOLERANCE
    assert build(found, found.config).labels == ()  # without names it is left out


def test_a_classifier_of_its_own_file(tmp_path: Path, drawn_weights: Drawn) -> None:
    found = recognise(Weights(path=Path("net.pth"), tensors=drawn_weights("nafnet_dcpt")))
    with pytest.raises(UndegradeError, match=r"^net\.pth: labels were given, but it has no classifier"):
        build(found, found.config, LABELS)
    head = Weights(path=Path("head.pth"), tensors=drawn_weights("dcpt_classifier_nafnet"))
    both = with_head(found, head)
    assert isinstance(build(both, found.config, LABELS).classifier, DegradationClassifier)
    with pytest.raises(UndegradeError, match="2 labels; its classifier knows 5"):
        build(both, found.config, LABELS[:2])
    with pytest.raises(UndegradeError, match="expected names that differ"):
        build(both, found.config, ("rain",) * 5)
    with pytest.raises(UndegradeError, match=r"^net\.pth: holds no classifier of DCPT"):
        with_head(found, found.weights)
    other = recognise(Weights(path=Path("net.pth"), tensors=drawn_weights("mask_nafnet_knn")))
    with pytest.raises(UndegradeError, match=r"^net\.pth: has a classifier of DCPT, but its keys are .*left over: "):
        build(with_head(other, head), other.config, LABELS)


class Intruder:
    """Whoever unpickles it runs a command."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("new", [True, False])
def test_pickled_code_is_never_executed(tmp_path: Path, new: bool, drawn_weights: Drawn) -> None:
    path, mark = tmp_path / "evil.pth", tmp_path / "executed"
    wrapped = {"params": drawn_weights("nafnet"), "extra": Intruder(mark)}
    torch.save(wrapped, path, _use_new_zipfile_serialization=new)
    with pytest.raises(UndegradeError, match=r"evil\.pth: .*posix\.mkdir, and undegrade never executes pickled code"):
        read_published(path)
    path.write_bytes(pickle.dumps(Intruder(mark)))
    with pytest.raises(UndegradeError, match=r"evil\.pth: "):
        read_published(path)
    assert not mark.exists()


def test_the_intruder_is_real(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Intruder(tmp_path / "executed")))
    assert (tmp_path / "executed").is_dir()


def whole_network(path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), path)


def cut_off(path: Path) -> None:
    torch.save({"intro.weight": torch.zeros(64, 3, 3, 3)}, path)
    path.write_bytes(path.read_bytes()[:-200])


def cut_off_old(path: Path) -> None:
    torch.save({"intro.weight": torch.zeros(64, 3, 3, 3)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-200])


def text(path: Path) -> None:
    path.write_text("weights, surely")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_tensors(path: Path) -> None:
    torch.save({"epoch": 3, "params": {}}, path)


def a_list(path: Path) -> None:
    torch.save([torch.zeros(2)], path)


def missing(path: Path) -> None:
    assert not path.exists()


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (whole_network, r"asks for torch\.nn\.modules\.linear\.Linear, and undegrade never executes"),
        (cut_off, "not a readable checkpoint, damaged or of another kind"),
        (cut_off_old, "not a readable checkpoint, damaged or of another kind"),
        (text, "not a readable checkpoint, damaged or of another kind"),
        (empty, "not a readable checkpoint, damaged or of another kind"),
        (no_tensors, r"holds no weights \(epoch, params\); expected named tensors"),
        (a_list, r"holds no weights \(list\)"),
        (missing, "no such file"),
        (a_folder, "no such file"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(path := tmp_path / "strange.pth")
    with pytest.raises(UndegradeError, match=rf"strange\.pth: .*{message}") as caught:
        read_published(path)
    assert "\n" not in str(caught.value)


def test_an_own_checkpoint_needs_no_import(tmp_path: Path) -> None:
    network = NAFNet(NAFNet.Config(width=8, encoder=(1,), decoder=(1,)))
    save_checkpoint(UniversalRestorer(network, None, ()), tmp_path / "own.safetensors")
    with pytest.raises(UndegradeError, match=r"own\.safetensors: is a checkpoint of undegrade already"):
        read_published(tmp_path / "own.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "own.safetensors").read_bytes()[:-50])
    with pytest.raises(UndegradeError, match=r"cut\.safetensors: not a readable \.safetensors file"):
        read_published(tmp_path / "cut.safetensors")


def without(weights: dict[str, Tensor], *keys: str) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if key not in keys}


def built_from(weights: Weights) -> UniversalRestorer:
    found = recognise(weights)
    return build(found, found.config)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("nafnet", lambda w: without(w, "ending.bias"), r"NAFNet \(original\), but keys are missing: ending"),
        ("nafnet", lambda w: without(w, "intro.weight"), "of a network that undegrade does not know"),
        ("restormer", lambda w: without(w, "patch_embed.proj.weight"), r"\(original\), but lacks patch_embed\.proj\."),
        ("swinir", lambda w: without(w, "layers.1.residual_group.blocks.0.attn.relative_position_bias_table"),
         r"but lacks layers\.1\.residual_group\.blocks\.0\.attn\.relative_position_bias_table"),
        ("nafnet", lambda w: {**w, **{f"se.{i}.weight": torch.zeros(1) for i in range(8)}},
         r"left over: se\.0\.weight, se\.1\.weight, se\.2\.weight, se\.3\.weight, se\.4\.weight \(\+3 more\)$"),
        ("restormer", lambda w: {**w, "output.weight": torch.zeros(1, 32, 3, 3)},
         r"of another shape: output\.weight \(1, 32, 3, 3\) for \(3, 32, 3, 3\)$"),
        ("nafnet_maskdcpt", lambda w: {**w, "ending.blocks.bias": torch.zeros(3)},
         r"like NAFNet \(MaskDCPT\), but that does not fit \(there are two ending\.bias\)"),
        ("nafnet", lambda w: {**w, "intro.weight": torch.zeros(0)}, r"like NAFNet .*that does not fit \(.*width is 0"),
        ("restormer", lambda w: {**w, "latent.0.ffn.project_in.weight": torch.zeros(6, 128, 1, 1)},
         r"looks like Restormer \(original\), but that does not fit \(hidden widths .* are no common multiple"),
        ("swinir_dcpt", lambda w: {**w, "conv_before_upsample.0.weight": torch.zeros(64, 24, 3, 3)},
         r"SwinIR \(DCPT, MaskDCPT\), but keys are left over: conv_before_upsample\.0\.weight"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_in_a_line(
    name: str, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], message: str, drawn_weights: Drawn
) -> None:
    weights = Weights(path=Path("odd.pth"), tensors=change(drawn_weights(name)))
    with pytest.raises(UndegradeError, match=message) as caught:
        built_from(weights)
    assert str(caught.value).startswith("odd.pth: ")
    assert "\n" not in str(caught.value)


def test_another_network_is_refused_with_those_that_are_known() -> None:
    weights = Weights(path=Path("vgg.pth"), tensors={f"features.{i}.weight": torch.zeros(1) for i in range(9)})
    with pytest.raises(UndegradeError, match=r"vgg\.pth: .*features\.4\.weight\); known are NAFNet, .*PromptIR"):
        recognise(weights)


def test_numbers_in_names_build_no_more_than_the_file_holds(drawn_weights: Drawn) -> None:
    weights = {**drawn_weights("nafnet"), "encoders.0.999999999.beta": torch.zeros(1, 16, 1, 1)}
    found = recognise(Weights(path=Path("odd.pth"), tensors=weights))
    assert found.config.encoder[0] == 2
    with pytest.raises(UndegradeError, match=r"missing: encoders\.0\.1\.beta.*left over: encoders\.0\.999999999\.beta"):
        build(found, found.config)
