"""What a network that is told sentences is told while it learns."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from undegrade.errors import UndegradeError
from undegrade.inference.extras import needs_text
from undegrade.networks import TextPromptIR
from undegrade.text.sentences import instructions


def give_sentences(network: TextPromptIR, labels: Sequence[str]) -> None:
    """Put instructions for each label, as the encoder of the extra `text` has them, into the network's `sentences`.

    Raises:
        UndegradeError: the network is made for another number of labels or another encoder, or there are no words for
            one of them.
    """
    config = network.config
    if config.kinds != len(labels):
        raise UndegradeError(f"network.kinds is {config.kinds}; there are {len(labels)} labels: {', '.join(labels)}")
    with needs_text("network.kinds"):
        from undegrade.text.encoder import SIZE, embed

        if config.embedding != SIZE:
            raise UndegradeError(f"network.embedding is {config.embedding}; the encoder of the extra text has {SIZE}")
        try:
            said = [sentence for label in labels for sentence in instructions(label, config.number)]
        except ValueError as error:
            raise UndegradeError(f"network.kinds: {error}") from None
        found = torch.from_numpy(embed(said))
    network.sentences.copy_(found.unflatten(0, (config.kinds, config.number)))
