"""The layouts of published checkpoints: the keys that tell them, our names for theirs, what their shapes say.

Written from descriptions in prose of the published networks (docs/networks.md names them).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from undegrade.networks.readings import (
    Reading,
    Shapes,
    read_adair,
    read_diffir,
    read_dwformer,
    read_hogformer,
    read_nafnet,
    read_pip,
    read_promptir,
    read_restormer,
    read_swinir,
    read_textpromptir,
)


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
        name="TextPromptIR (original)",
        signs=(r"linear1\.weight$", r"encoder_level1\.\d+\.attn\.fusion\."),
        # Parts of PromptIR, and in each block the layers of the other levels.
        unused=r"(prompt|noise_level|reduce_noise|chnl_reduce).*"
        r"|encoder_level1\.\d+\.\w+\.linear(?!1[._]).*"
        r"|(encoder_level2|decoder_level2|decoder_level1|refinement)\.\d+\.\w+\.linear(?!2[._]).*"
        r"|(encoder_level3|decoder_level3)\.\d+\.\w+\.linear(?!3[._]).*"
        r"|latent\.\d+\.\w+\.linear(?!7[._]).*",
        read=read_textpromptir,
    ),
    Layout(
        name="PIP (original)",
        signs=(r"prompt1\.LGM\.", r"encoder_level1\.\d"),
        unused=r"reduce_noise_channel_\d\.weight",
        flattened=r"prompt\d\.detask_prompt_param",
        read=read_pip,
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
