"""The U of four levels that Restormer has, and the networks that put other blocks into it.

Paper: "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022; the names are its own.
A stage is called with its map, with whatever else its blocks are told, and with what is visible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from undegrade.networks.blocks import hide
from undegrade.networks.transformer import Resize

LEVELS = 4

MakeStage = Callable[[int, int, int], nn.Module]  # of channels, level (0 is the finest) and number of blocks


class FourLevels(nn.Module):
    """Has what `add_levels` adds."""

    patch_embed: nn.ModuleDict
    encoder_level1: nn.Module
    encoder_level2: nn.Module
    encoder_level3: nn.Module
    latent: nn.Module
    decoder_level3: nn.Module
    decoder_level2: nn.Module
    decoder_level1: nn.Module
    refinement: nn.Module
    down1_2: Resize
    down2_3: Resize
    down3_4: Resize
    up4_3: Resize
    up3_2: Resize
    up2_1: Resize
    reduce_chan_level3: nn.Conv2d
    reduce_chan_level2: nn.Conv2d


def check_levels(config: Any) -> None:
    """Refuse another number of levels than four.

    Raises:
        ValueError: names the field, its length and what was expected.
    """
    for name in ("blocks", "heads"):
        if (number := len(getattr(config, name))) != LEVELS:
            kind = type(config).__qualname__
            raise ValueError(f"{kind}.{name} has {number} numbers; it must have {LEVELS}, finest first")


def add_levels(network: FourLevels, config: Any, stage: MakeStage, *, inputs: int = 3, bias: bool = False) -> None:
    """Give a network the first convolution, encoder, latent, decoder and refinement, by the published names.

    Args:
        network: what they become parts of.
        config: has `width`, `blocks` and `refinement`.
        stage: builds one.
        inputs: channels of the picture.
        bias: of the convolutions between stages of one level.
    """
    c, blocks = config.width, config.blocks
    network.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(inputs, c, 3, padding=1, bias=bias)})
    network.encoder_level1 = stage(c, 0, blocks[0])
    network.down1_2 = Resize(c, 2 * c, down=True)
    network.encoder_level2 = stage(2 * c, 1, blocks[1])
    network.down2_3 = Resize(2 * c, 4 * c, down=True)
    network.encoder_level3 = stage(4 * c, 2, blocks[2])
    network.down3_4 = Resize(4 * c, 8 * c, down=True)
    network.latent = stage(8 * c, 3, blocks[3])
    network.up4_3 = Resize(8 * c, 4 * c, down=False)
    network.reduce_chan_level3 = nn.Conv2d(8 * c, 4 * c, 1, bias=bias)
    network.decoder_level3 = stage(4 * c, 2, blocks[2])
    network.up3_2 = Resize(4 * c, 2 * c, down=False)
    network.reduce_chan_level2 = nn.Conv2d(4 * c, 2 * c, 1, bias=bias)
    network.decoder_level2 = stage(2 * c, 1, blocks[1])
    network.up2_1 = Resize(2 * c, c, down=False)
    network.decoder_level1 = stage(2 * c, 0, blocks[0])
    network.refinement = stage(2 * c, 0, config.refinement)


def as_it_is(level: int, x: Tensor) -> Tensor:
    """x."""
    return x


def encode(
    network: FourLevels,
    image: Tensor,
    *told: Tensor,
    visible: Tensor | None = None,
    entering: Callable[[int, Tensor], Tensor] = as_it_is,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """(B, 3, H, W) -> the latent (B, 8c, H / 8, W / 8), and the skips: c, 2c, 4c channels, finest first.

    Args:
        network: has what `add_levels` gave it.
        image: the picture.
        told: what the blocks are told beside their map.
        visible: as for `RestorationNetwork.features`.
        entering: what a level, 2 to 4, makes of what comes down to it, before its blocks.
    """
    known = (*told, visible)
    fine = network.encoder_level1(hide(network.patch_embed["proj"](hide(image, visible)), visible), *known)
    middle = network.encoder_level2(entering(2, network.down1_2(fine, visible)), *known)
    coarse = network.encoder_level3(entering(3, network.down2_3(middle, visible)), *known)
    return network.latent(entering(4, network.down3_4(coarse, visible)), *known), (fine, middle, coarse)


def decode(
    network: FourLevels,
    latent: Tensor,
    skips: tuple[Tensor, ...],
    *told: Tensor,
    visible: Tensor | None = None,
    leaving: Callable[[int, Tensor], Tensor] = as_it_is,
) -> tuple[Tensor, ...]:
    """What `encode` returned -> (B, 4c, H / 4, W / 4), (B, 2c, H / 2, W / 2), (B, 2c, H, W).

    Args:
        network: has what `add_levels` gave it.
        latent: of `encode`.
        skips: of `encode`.
        told: what the blocks are told beside their map.
        visible: as for `RestorationNetwork.features`.
        leaving: what becomes of the output of a level, 4 (the latent), 3 or 2, before it goes up.
    """
    fine, middle, coarse = skips
    known = (*told, visible)
    up = network.up4_3(leaving(4, latent), visible)
    coarse = network.decoder_level3(hide(network.reduce_chan_level3(torch.cat((up, coarse), 1)), visible), *known)
    coarse = leaving(3, coarse)
    up = network.up3_2(coarse, visible)
    middle = network.decoder_level2(hide(network.reduce_chan_level2(torch.cat((up, middle), 1)), visible), *known)
    middle = leaving(2, middle)
    fine = network.decoder_level1(torch.cat((network.up2_1(middle, visible), fine), 1), *known)
    return coarse, middle, fine
