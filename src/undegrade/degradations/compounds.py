"""The mixtures that papers train and test on, made of the catalogue's members."""

from __future__ import annotations

from collections.abc import Callable

from undegrade.degradations.base import Degradation
from undegrade.degradations.chain import Chain, Maybe, OneOf, RandomOrder, Step

# CDD-11 (Guo et al., "OneRestore", ECCV 2024): low light, haze, rain and snow, alone and together.
CDD11 = {
    "low": "low_light(stops=1..2.5)",
    "haze": "haze(density=0.8..2.5)",
    "rain": "rain(density=1.5..6)",
    "snow": "snow(density=2..10)",
}
CDD11_TOGETHER = ("low", "haze", "rain", "snow", "low_haze", "low_rain", "low_snow", "haze_rain", "haze_snow",
                  "low_haze_rain", "low_haze_snow")  # fmt: skip
CDD11_ORDER = ("rain", "snow", "haze", "low")  # what happens before the camera comes before what happens inside it

# Zhang et al., "Designing a Practical Degradation Model" (BSRGAN, ICCV 2021), in the order of Wang et al.,
# "Real-ESRGAN" (ICCVW 2021): two rounds of blur, resizing, noise and compression.
BLURS = (
    "gaussian_blur(sigma=0.2..3)",
    "generalised_gaussian_blur(sigma=0.2..3)",
    "plateau_blur(sigma=0.2..3)",
    "ringing",
)
SECOND_BLURS = ("gaussian_blur(sigma=0.2..1.5)", "generalised_gaussian_blur(sigma=0.2..1.5)", "ringing")


def compounds(parse: Callable[[str], Degradation]) -> dict[str, Step]:
    """The compounds by name.

    Args:
        parse: makes a member of the catalogue from its text.
    """

    def one_of(*texts: str) -> OneOf:
        return OneOf(steps=tuple(parse(text) for text in texts))

    def chain(label: str, *steps: Step) -> Chain:
        return Chain(label=label, steps=steps)

    jpeg, ringing = parse("jpeg(quality=30..95)"), parse("ringing")
    first_round = (
        one_of(*BLURS),
        parse("downsampling(factor=1..4)"),
        one_of("noise(sigma=1..30)", "poisson_noise"),
        jpeg,
    )
    second_round = (
        Maybe(step=one_of(*SECOND_BLURS), chance=0.8),
        parse("downsampling(factor=1..2)"),
        one_of("noise(sigma=1..25)", "poisson_noise"),
        OneOf(steps=(chain("jpeg_last", ringing, jpeg), chain("ringing_last", jpeg, ringing))),
    )
    codecs = ("mpeg2", "mpeg4", "h264", "hevc")
    every_kind = ("noise", "motion_blur", "defocus_blur", "haze", "rain", "snow", "low_light", "jpeg", "downsampling")
    named: dict[str, Step] = {f"cdd11_{name}": _cdd11(name, parse) for name in CDD11_TOGETHER}
    named["random_order"] = RandomOrder(steps=tuple(parse(kind) for kind in every_kind))
    named["second_order"] = chain("second_order", *first_round, *second_round)
    named["blur_low_light_noise"] = chain(
        "blur_low_light_noise",
        one_of("motion_blur", "defocus_blur"),
        parse("low_light(stops=1..3)"),
        parse("noise(sigma=2..15)"),
    )
    named["video_chain"] = chain(
        "video_chain",
        Maybe(step=one_of("motion_blur", "gaussian_blur(sigma=0.2..2)")),
        parse("downsampling(factor=1..3)"),
        parse("noise(sigma=1..10)"),
        one_of(*codecs),
    )
    return named


def _cdd11(name: str, parse: Callable[[str], Degradation]) -> Chain:
    """The parts that the name joins, as one scene."""
    parts = name.split("_")
    steps = tuple(parse(CDD11[part]) for part in CDD11_ORDER if part in parts)
    return Chain(label=f"cdd11_{name}", steps=steps, shared_depth=True)
