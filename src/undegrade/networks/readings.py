"""What the shapes in a published checkpoint say of the network it belongs to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from undegrade.networks import (
    AdaIR,
    DiffIR,
    DWFormer,
    HOGformer,
    NAFNet,
    PIPRestormer,
    PromptIR,
    Restormer,
    SwinIR,
    TextPromptIR,
)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A Config as the shapes of a file tell it."""

    config: Any
    assumed: tuple[str, ...] = ()  # fields that no shape tells; they have the published values
    unknown: tuple[str, ...] = ()  # fields that no shape tells, and of which nothing is published: the user must say


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


def read_pip(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """All but what the layout fixes."""
    prompts = [shapes[f"prompt{level}.low_prompt_param"] for level in (1, 2, 3)]
    attention = "low_prompt_interaction_level1.prompt_transformer{}.temperature"
    interaction, (heads, *_) = next(
        (name, shapes[key])
        for name, key in (
            ("cross", attention.format("_cross.attn")),
            ("block_gate", attention.format(".attn")),
            ("conv_gate", "prompt1.LGM.attn.temperature"),  # has no heads of its own
        )
        if key in shapes
    )
    if interaction == "cross" and attention.format("_cross.attn").replace("temperature", "attn1") in shapes:
        interaction = "top_m"
    config = PIPRestormer.Config(
        degradations=shapes["prompt1.detask_prompt_param"][0],
        prompt_channels=tuple(prompt[1] for prompt in prompts),
        prompt_sides=tuple(prompt[3] for prompt in prompts),
        prompt_heads=shapes["prompt1.LGM.attn.temperature"][0],
        interaction=interaction,
        interaction_heads=PIPRestormer.Config.interaction_heads if interaction == "conv_gate" else heads,
        **_transformer(shapes),
        **fixed,
    )
    return Reading(config=config, assumed=("divided",))


def read_textpromptir(shapes: Shapes, fixed: dict[str, Any]) -> Reading:
    """All; the sentences that it was trained with are in no published file."""
    known = _transformer(shapes)
    del known["bias"]
    return Reading(config=TextPromptIR.Config(**known, embedding=shapes["linear1.weight"][1], **fixed))


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
