"""The layouts of published checkpoints: the keys that tell them, our names for theirs, what their shapes say.

Written from descriptions in prose of the published networks (docs/networks.md names them).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from undegrade.networks import AdaIR, DiffIR, DWFormer, HOGformer, NAFNet, PromptIR, Restormer, SwinIR

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A Config as the shapes of a file tell it."""

    config: Any
    assumed: tuple[str, ...] = ()  # fields that no shape tells; they have the published values
    unknown: tuple[str, ...] = ()  # fields that no shape tells, and of which nothing is published: the user must say


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one published network names its tensors.

    Args:
        name: for people.
        signs: patterns; each matches some key of such a file.
        read: from shapes, by our names, and the `fixed` fields to the network's Config.
        fixed: fields that follow from the layout alone.
        names: patterns and what takes their place, one after another: from a published name to ours.
        unused: matches the published names, whole, of what takes no part.
        flattened: matches our names of what has a first axis of length 1 in the file and not here.
    """

    name: str
    signs: tuple[str, ...]
    read: Callable[[Shapes, dict[str, Any]], Reading]
    fixed: dict[str, Any] = field(default_factory=dict)
    names: tuple[tuple[str, str], ...] = ()
    unused: str = r"(?!)"
    flattened: str = r"(?!)"

    def matches(self, keys: Iterable[str]) -> bool:
        """Whether each sign is among the keys."""
        given = list(keys)
        return all(any(re.match(sign, key) for key in given) for sign in self.signs)

    def our_name(self, published: str) -> str:
        """The name of a tensor in our network."""
        for pattern, replacement in self.names:
            published = re.sub(pattern, replacement, published)
        return published

    def ours(self, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
        """The tensors by our names and in our shapes, and the names of those that take no part.

        Raises:
            ValueError: two of them would have one name.
        """
        used = [key for key in tensors if not re.fullmatch(self.unused, key)]
        renamed = {self.our_name(key): tensors[key] for key in used}
        if len(renamed) < len(used):
            names = [self.our_name(key) for key in used]
            raise ValueError(f"there are two {next(name for name in names if names.count(name) > 1)}")
        for key, value in renamed.items():
            if re.fullmatch(self.flattened, key) and value.shape[:1] == (1,):
                renamed[key] = value[0]
        return renamed, tuple(key for key in tensors if re.fullmatch(self.unused, key))


def _count(shapes: Shapes, stage: str) -> int:
    """How many numbers follow `stage` among the names; however large they are, no more than there are names."""
    found = (re.match(rf"{re.escape(stage)}(\d+)\.", key) for key in shapes)
    return len({match[1] for match in found if match})


def _ratio(widths: Iterable[tuple[int, int]]) -> float:
    """The number of fewest digits by which each first width becomes the second one, rounded down.

    >>> _ratio([(48, 127), (96, 255), (192, 510), (384, 1021)])
    2.66
    """
    pairs = sorted(set(widths))
    least = max((hidden / width for width, hidden in pairs), default=0.0)
    for digits in range(7):
        ratio = math.ceil(least * 10**digits) / 10**digits
        if all(int(width * ratio) == hidden for width, hidden in pairs):
            return ratio
    raise ValueError(f"hidden widths {pairs} are no common multiple of the widths")


def read_nafnet(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """Width and blocks of each stage; TLC has no weights of its own."""
    levels = _count(shapes, "downs.")
    config = NAFNet.Config(
        width=shapes["intro.weight"][0],
        encoder=tuple(_count(shapes, f"encoders.{level}.") for level in range(levels)),
        middle=_count(shapes, "middle_blks."),
        decoder=tuple(_count(shapes, f"decoders.{level}.") for level in range(levels)),
        **fixed,
    )
    return Reading(config=config, assumed=("local_size",))


def _transformer(shapes: Shapes) -> dict[str, Any]:
    """The fields that Restormer and PromptIR share."""
    levels = [f"encoder_level{level}." for level in (1, 2, 3)] + ["latent."]
    hidden = re.compile(r"ffn\.project_in\.weight$")
    return {
        "width": shapes["patch_embed.proj.weight"][0],
        "blocks": tuple(_count(shapes, level) for level in levels),
        "refinement": _count(shapes, "refinement."),
        "heads": tuple(shapes[f"{level}0.attn.temperature"][0] for level in levels),
        "expansion": _ratio((shape[1], shape[0] // 2) for key, shape in shapes.items() if hidden.search(key)),
        "bias": any(key.endswith("attn.qkv.bias") for key in shapes),
        "norm": "with_bias" if any(key.endswith("norm1.body.bias") for key in shapes) else "bias_free",
    }


def read_restormer(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """All but what the layout fixes."""
    return Reading(config=Restormer.Config(**_transformer(shapes), **fixed))


def read_promptir(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """All but what the layout fixes."""
    prompts = [shapes[f"prompt{level}.prompt_param"] for level in (1, 2, 3)]
    config = PromptIR.Config(
        prompts=prompts[0][0],
        prompt_channels=tuple(prompt[1] for prompt in prompts),
        prompt_sides=tuple(prompt[3] for prompt in prompts),
        **_transformer(shapes),
        **fixed,
    )
    return Reading(config=config)


def read_adair(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """All but what the layout fixes and the size of the mask."""
    return Reading(config=AdaIR.Config(**_transformer(shapes), **fixed), assumed=("frequency_divisor",))


def read_hogformer(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """All but the norm, which has no weights."""
    levels = [f"encoder_level{level}." for level in (1, 2, 3)] + ["latent."]
    hidden = re.compile(r"ffn\.project_in\.weight$")
    config = HOGformer.Config(
        width=shapes["patch_embed.proj.weight"][0],
        blocks=tuple(_count(shapes, level) for level in levels),
        refinement=_count(shapes, "refinement."),
        heads=tuple(shapes[f"{level}0.attn_g_spatial.temperature"][0] for level in levels),
        expansion=_ratio((shape[1], shape[0] // 2) for key, shape in shapes.items() if hidden.search(key)),
        bias=any(key.endswith("attn_g_spatial.qkv.bias") for key in shapes),
        **fixed,
    )
    return Reading(config=config, assumed=("norm",))


def read_diffir(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """All but the number of steps, which has no weights, and the noise that they begin with."""
    levels = [f"G.encoder_level{level}." for level in (1, 2, 3)] + ["G.latent."]
    hidden, encoder = re.compile(r"ffn\.project_in\.weight$"), "E" if fixed["source"] == "pair" else "condition"
    width, inputs = shapes["G.patch_embed.proj.weight"][:2]
    enlarging = "G.tail.1.weight" in shapes
    config = DiffIR.Config(
        width=width,
        blocks=tuple(_count(shapes, level) for level in levels),
        refinement=_count(shapes, "G.refinement."),
        heads=tuple(shapes[f"{level}0.attn.temperature"][0] for level in levels),
        expansion=_ratio((shape[1], shape[0] // 2) for key, shape in shapes.items() if hidden.search(key)),
        norm="with_bias" if any(key.endswith("norm1.body.bias") for key in shapes) else "bias_free",
        head="enlarging" if enlarging else "filling" if inputs == 4 else "same",
        scale=4 // math.isqrt(inputs // 3) if enlarging else 1,
        encoder_blocks=len({key.split(".")[2] for key in shapes if re.match(rf"{encoder}\.E\.\d+\.body\.", key)}),
        denoiser_layers=max(_count(shapes, "denoise.resmlp.") - 1, 1),
        **fixed,
    )
    return Reading(config=config, assumed=("steps", "seed"))


def read_dwformer(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """All but what the layout fixes."""
    stages = [f"block{number}.blocks." for number in range(1, 6)]
    hidden = [shapes[f"{stage}0.intra.1.weight"] for stage in stages]
    config = DWFormer.Config(
        widths=tuple(shape[1] for shape in hidden),
        blocks=tuple(_count(shapes, stage) for stage in stages),
        ratios=tuple(shape[0] // shape[1] for shape in hidden),
        reduction=hidden[0][1] // shapes["block1.blocks.0.inter.4.mlp.0.weight"][0],
        **fixed,
    )
    return Reading(config=config, assumed=("pooling",))


TABLE = "residual_group.blocks.0.attn.relative_position_bias_table"


def read_swinir(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """Heads and window stand in the tables of position bias alone; without them they are those of DCPT's network."""
    width, channels = shapes["conv_first.weight"][:2]
    stages = range(_count(shapes, "layers."))
    depths = tuple(_count(shapes, f"layers.{stage}.residual_group.blocks.") for stage in stages)
    tables = [shapes[f"layers.{stage}.{TABLE}"] for stage in stages] if f"layers.0.{TABLE}" in shapes else []
    usual = SwinIR.Config()
    window = (math.isqrt(tables[0][0]) + 1) // 2 if tables else usual.window
    known = bool(tables) or width == usual.width
    config = SwinIR.Config(
        width=width,
        depths=depths,
        heads=tuple(table[1] for table in tables) if tables else (usual.heads[0] if known else 1,) * len(depths),
        window=window,
        mlp_ratio=_ratio((shape[1], shape[0]) for key, shape in shapes.items() if key.endswith("mlp.fc1.weight")),
        relative_positions=bool(tables),
        residual="3conv" if "conv_after_body.0.weight" in shapes else "1conv",
        head_width=shapes.get("conv_before_upsample.0.weight", (usual.head_width,))[0],
        scale=_scale(shapes, channels) if "head" in fixed else 1,
        in_channels=channels,
        image_range=255.0 if window == 7 else 1.0,  # a window of 7 is that of the published JPEG networks
        **fixed,
    )
    untold = () if tables else ("heads", "window")
    return Reading(config=config, assumed=("image_range", *untold), unknown=() if known else ("heads",))


def _scale(shapes: Shapes, channels: int) -> int:
    """By how much the head enlarges."""
    if "conv_up1.weight" in shapes:
        return 4 if "conv_up2.weight" in shapes else 2
    first = shapes.get("upsample.0.weight")
    if first is None:
        return 1
    if "conv_before_upsample.0.weight" not in shapes:
        return math.isqrt(first[0] // channels)
    return 3 if first[0] == 9 * first[1] else 2 ** _count(shapes, "upsample.")


# Of the copies of MaskDCPT: stages have `blocks`, and norms and resizing convolutions no `body`. Of that of DCPT:
# stages have a `body`.
TRANSFORMER_NAMES = (
    (r"^(encoder_\w+|decoder_\w+|latent|refinement)\.(?:body|blocks)\.(\d+\.\w)", r"\1.\2"),
    (r"^((?:up|down)\d_\d)\.conv\.", r"\1.body.0."),
    (r"(norm\d)\.(weight|bias)$", r"\1.body.\2"),
)
SWINIR = (r"conv_first\.weight$", r"layers\.0\.residual_group\.")
BUFFERS = r".*\.(attn_mask|relative_position_index)"  # follow from the window
PROMPTS = r"prompt\d\.prompt_param"

# The first one that matches is taken.
LAYOUTS = (
    Layout(name="NAFNet (original)", signs=(r"intro\.weight$", r"decoders\.\d"), read=read_nafnet),
    Layout(
        name="NAFNet (DCPT)",
        signs=(r"intro\.weight$", r"decoder\d\.\d"),
        names=((r"^decoder(\d)\.", r"decoders.\1."),),
        read=read_nafnet,
    ),
    Layout(
        name="NAFNet (MaskDCPT)",
        signs=(r"intro\.weight$", r"decoder\d\.blocks\."),
        names=((r"\.blocks\.", "."), (r"^decoder(\d)\.", r"decoders.\1.")),
        fixed={"norm_eps": 1e-5},
        read=read_nafnet,
    ),
    Layout(
        name="PromptIR (original)",
        signs=(r"prompt1\.", r"chnl_reduce1\."),
        unused=r"(chnl_reduce\d|reduce_noise_channel_\d)\.weight",
        flattened=PROMPTS,
        read=read_promptir,
    ),
    Layout(
        name="PromptIR (MaskDCPT)",
        signs=(r"prompt1\.", r"encoder_level1\.blocks\."),
        names=TRANSFORMER_NAMES,
        flattened=PROMPTS,
        read=read_promptir,
    ),
    Layout(name="PromptIR (DCPT)", signs=(r"prompt1\.",), flattened=PROMPTS, read=read_promptir),
    Layout(
        name="AdaIR (original)",
        signs=(r"fre1\.conv1\.", r"encoder_level1\.\d"),
        unused=r"fre\d\.(conv\.weight|score_gen\.\w+)",
        read=read_adair,
    ),
    Layout(
        name="HOGformer (original)",
        signs=(r"skip_patch_embed1\.", r"encoder_level1\.\d+\.attn_g_spatial\."),
        unused=r".*\.sobel_[xy]|skip_conv\.weight",
        read=read_hogformer,
    ),
    Layout(
        name="DiffIR (original), first stage",
        signs=(r"G\.encoder_level1\.", r"E\.E\.0\."),
        fixed={"source": "pair"},
        read=read_diffir,
    ),
    Layout(
        name="DiffIR (original), second stage",
        signs=(r"G\.encoder_level1\.", r"condition\.E\.0\."),
        fixed={"source": "diffusion"},
        unused=r"diffusion\..*",
        read=read_diffir,
    ),
    Layout(
        name="DWFormer (original)",
        signs=(r"downproj1\.", r"block5\.blocks\."),
        unused=r"block\d\.blocks\.\d+\.inter\.4\.pwconv\.\w+",
        read=read_dwformer,
    ),
    Layout(
        name="Restormer (original), dual pixel",
        signs=(r"encoder_level1\.\d", r"skip_conv\."),
        fixed={"dual_pixel": True},
        read=read_restormer,
    ),
    Layout(name="Restormer (original)", signs=(r"encoder_level1\.\d", r"refinement\."), read=read_restormer),
    Layout(
        name="Restormer (DCPT)",
        signs=(r"encoder_level1\.body\.",),
        names=TRANSFORMER_NAMES,
        fixed={"norm_eps": 1e-6, "attention": "relu"},
        read=read_restormer,
    ),
    Layout(
        name="Restormer (MaskDCPT)",
        signs=(r"encoder_level1\.blocks\.",),
        names=TRANSFORMER_NAMES,
        read=read_restormer,
    ),
    Layout(
        name="SwinIR (DCPT, MaskDCPT)",
        signs=(r"conv_first\.weight$", r"encode_layers\.0\."),
        names=(  # in the copies the last three of six stages have names of their own
            (r"^encode_layers\.", "layers."),
            (r"^decode_layers0\.", "layers.3."),
            (r"^decode_layers1\.", "layers.4."),
            (r"^decode_layers2\.", "layers.5."),
        ),
        read=read_swinir,
    ),
    Layout(
        name="SwinIR (original), real-world super-resolution",
        signs=(*SWINIR, r"conv_up1\."),
        fixed={"head": "nearest+conv"},
        unused=BUFFERS,
        read=read_swinir,
    ),
    Layout(
        name="SwinIR (original), classical super-resolution",
        signs=(*SWINIR, r"conv_before_upsample\."),
        fixed={"head": "pixelshuffle"},
        unused=BUFFERS,
        read=read_swinir,
    ),
    Layout(
        name="SwinIR (original), lightweight super-resolution",
        signs=(*SWINIR, r"upsample\."),
        fixed={"head": "pixelshuffledirect"},
        unused=BUFFERS,
        read=read_swinir,
    ),
    Layout(name="SwinIR (original), denoising or JPEG", signs=SWINIR, unused=BUFFERS, read=read_swinir),
)


def find_layout(keys: Iterable[str]) -> Layout | None:
    """The layout that the keys tell, if any."""
    given = list(keys)
    return next((layout for layout in LAYOUTS if layout.matches(given)), None)
