"""A network together with the head that names what is wrong: what is trained, stored and exported."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import GuidedNetwork, RestorationNetwork
from undegrade.networks.classifier import DegradationClassifier, NoClassifier
from undegrade.networks.statistics import exchanged, num_statistics

GRADES = 11  # levels of severity that a grader tells apart, from 0 to 1


class UniversalRestorer(nn.Module):
    """One pass over the picture, two answers: the restored picture and the name of the degradation.

    With `steered`, the name decides how the picture is drawn: each label has an output convolution of its own on the
    finest feature: picture = network(image) + sum over labels of p_k * unfold(answer_k(feature)), p = softmax (or
    sigmoid) of sharpness * logits. Otherwise ten degradations share one output layer, and learning is slower
    (docs/experiments.md).

    A network that is guided by labels (PIP) is told the same p, so its features are computed twice: to name, to draw.

    Args:
        network: draws the picture and provides the features.
        classifier: reads the features; None, as in most published checkpoints, and nothing is named.
        labels: the names that the logits stand for, in order; none without a classifier.
        steered: whether the labels have output convolutions of their own; they start at zero.
        sharpness: 1 weighs them by the probabilities as they are; more, and the likeliest label decides.
        multi_label: several labels may be true at once: each logit is one degradation's, p its sigmoid, and a clean
            picture has none of them. Otherwise p is the softmax over all logits.
        kinds: degradations that a second head, the grader, tells apart, several at once, and grades; none, and there is
            no grader.
        grader: its configuration; None: the classifier's.

    Raises:
        ValueError: labels, kinds or `steered` without a classifier, or `steered`, and the network enlarges the picture,
            or a network that is guided by labels has more or fewer of them.
    """

    def __init__(
        self,
        network: RestorationNetwork,
        classifier: DegradationClassifier.Config | None,
        labels: tuple[str, ...],
        *,
        steered: bool = False,
        sharpness: float = 1.0,
        multi_label: bool = False,
        kinds: tuple[str, ...] = (),
        grader: DegradationClassifier.Config | None = None,
    ) -> None:
        super().__init__()
        if steered and network.scale != 1:
            raise ValueError(f"the network's scale is {network.scale}; it must be 1 where steered")
        if classifier is None and (labels or steered or kinds):
            raise ValueError(
                f"labels are {labels}, kinds are {kinds}, steered is {steered}; without a classifier there can be none"
            )
        if labels and isinstance(network, GuidedNetwork) and network.guided_by_labels:
            number = network.config.degradations
            if number != len(labels):
                raise ValueError(f"the network's degradations are {number}; labels are {len(labels)}, clean among them")
        self.sharpness, self.multi_label = sharpness, multi_label
        self.network = network
        channels = network.feature_channels[: network.num_tapped]
        self.classifier: DegradationClassifier | NoClassifier = (
            NoClassifier() if classifier is None else DegradationClassifier(classifier, channels, len(labels))
        )
        self.labels, self.kinds = labels, kinds
        self.grader: DegradationClassifier | None = None
        if classifier is not None and kinds:
            self.grader = DegradationClassifier(grader or classifier, channels, len(kinds) * (1 + GRADES))
        self.answers: nn.Conv2d | None = None
        if steered:
            self.answers = nn.Conv2d(
                network.feature_channels[network.finest], 3 * network.feature_fold**2 * len(labels), 3, padding=1
            )
            nn.init.zeros_(self.answers.weight)
            nn.init.zeros_(self.answers.bias)  # type: ignore[arg-type]

    def name(self, features: tuple[Tensor, ...]) -> Tensor:
        """The network's features -> logits (B, num_labels)."""
        return self.classifier(features[: self.network.num_tapped])

    def grade(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The network's features -> (B, E), the grader's embedding, and (B, K + K * GRADES), what is read off it.

        Logits of the kinds' presence, then for each kind logits of its levels. Nothing without a grader.
        """
        if self.grader is None:
            return ()
        pooled = self.grader.pooled(features[: self.network.num_tapped])
        return pooled, self.grader.fc(pooled)

    @property
    def finished(self) -> tuple[str, ...]:
        """The labels whose repair a second network goes over."""
        return tuple(self.labels[column] for column in self.network.finished if column < len(self.labels))

    @property
    def num_graded(self) -> int:
        """How many numbers `grade` returns."""
        return 0 if self.grader is None else self.grader.fc.in_features + self.grader.fc.out_features

    @property
    def num_context(self) -> int:
        """How many numbers say of a picture what is known of it and what its parts must know.

        The network's means, what `grade` returns, then the logits.
        """
        return num_statistics(self.network) + self.num_graded + len(self.labels)

    def answer(self, image: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`forward` for sides that are multiples of the network's `size_multiple`.

        Args:
            image: (B, 3, H, W).
            guide: (B, G), what a `GuidedNetwork` is told beside the picture; None, and it goes by the picture alone.
        """
        features = self._features(image, guide)
        logits = self.name(features)
        return self._draw(image, features, logits, guide), logits

    @property
    def _guided_by_labels(self) -> bool:
        """What is named with the usual guide is then drawn by its name."""
        return bool(self.labels) and isinstance(self.network, GuidedNetwork) and self.network.guided_by_labels

    def _features(self, image: Tensor, guide: Tensor | None) -> tuple[Tensor, ...]:
        untold = guide is None or self._guided_by_labels
        return self.network.features(image) if untold else self._told(image, guide)

    def _told(self, image: Tensor, guide: Tensor | None) -> tuple[Tensor, ...]:
        if guide is None or not isinstance(self.network, GuidedNetwork):
            raise ValueError(f"{type(self.network).__name__} takes no guide; expected a GuidedNetwork")
        return self.network.told_features(image, guide)

    def answer_part(
        self, image: Tensor, context: Tensor, trust: Tensor, guide: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`answer` for a part of a picture.

        Args:
            image: (B, 3, H, W), the part.
            context: (B, num_context), of the picture: the mean of what is returned here for parts of it.
            trust: (), 1 to go by that context, 0 by the part's own.
            guide: as for `answer`.

        Returns:
            The restored part, (B, 3, H, W), and its own context (B, num_context).
        """
        num_means, num_labels = num_statistics(self.network), len(self.labels)
        given_means, _, given_logits = context.split([num_means, self.num_graded, num_labels], 1)
        with exchanged(self.network, given_means, trust) as means:
            features = self._features(image, guide)
        own = self.name(features)
        logits = own + trust.to(own.dtype) * (given_logits.to(own.dtype) - own)
        said = torch.cat([*means, *self.grade(features), own], 1)
        with self._exchanged_again(given_means, trust):
            return self._draw(image, features, logits, guide), said

    def _exchanged_again(self, given: Tensor, trust: Tensor) -> AbstractContextManager[Any]:
        """For features that are computed twice: `exchanged` where the means are the same both times."""
        network = self.network
        again = self._guided_by_labels and isinstance(network, GuidedNetwork) and network.means_are_untold
        return exchanged(network, given, trust) if again else nullcontext()

    def draw_part(self, image: Tensor, context: Tensor, guide: Tensor | None = None) -> Tensor:
        """The restored part that `answer_part` returns where trust is 1, in less time: nothing is named or graded."""
        given_means, _, logits = context.split([num_statistics(self.network), self.num_graded, len(self.labels)], 1)
        trust = context.new_ones(())
        if self._guided_by_labels:  # what it is told is known
            with self._exchanged_again(given_means, trust):
                return self._draw(image, (), logits, guide)
        with exchanged(self.network, given_means, trust):
            features = self._features(image, guide)
        return self._draw(image, features, logits, guide)

    def _draw(self, image: Tensor, features: tuple[Tensor, ...], logits: Tensor, guide: Tensor | None = None) -> Tensor:
        """The restored picture; where steered or guided by labels, as the logits or the guide say."""
        # Naming alone teaches the classifier; it is not bent to make the picture's loss smaller.
        sharp = self.sharpness * logits.detach()
        share = sharp.sigmoid() if self.multi_label else sharp.softmax(1)
        if self._guided_by_labels:
            features = self._told(image, share if guide is None else guide)
        picture = self.network.reconstruct(image, features)
        if self.answers is not None:
            each = self.answers(features[self.network.finest]).unflatten(1, (len(self.labels), -1))
            picture = picture + F.pixel_shuffle(
                (each * share[:, :, None, None, None]).sum(1), self.network.feature_fold
            )
        return picture

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) in [0, 1], any size -> restored, `scale` times as large, not clipped; logits (B, num_labels)."""
        height, width = (side * self.network.scale for side in image.shape[-2:])
        picture, logits = self.answer(self.network.pad(image))
        return picture[..., :height, :width], logits
