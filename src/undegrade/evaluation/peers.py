"""What a user has at hand without a network: classical methods, and networks of others, to stand beside ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means, richardson_lucy, wiener

from undegrade.errors import UndegradeError

Pixels = NDArray[np.float32]  # (3, H, W) in [0, 1]

PREFIX, ONNX = "peer:", "onnx="
MULTIPLE = 32  # pixels, to which a picture is mirrored for a foreign ONNX file


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A method that stands beside a model.

    Args:
        about: method, source and settings in one sentence.
        kinds: what it is for, labels of the catalogue; none: everything.
        restore: of a picture and what is wrong with it, which only `classical` asks for.
    """

    about: str
    kinds: tuple[str, ...]
    restore: Callable[[Pixels, str | None], Pixels]


def find_peer(text: str) -> Peer:
    """The peer that "peer:NAME" means, or "peer:onnx=FILE".

    Raises:
        UndegradeError: there is none of that name, or the file or a package is missing.
    """
    name = text.removeprefix(PREFIX)
    if name.startswith(ONNX):
        return _onnx(Path(name.removeprefix(ONNX)))
    if name not in PEERS:
        raise UndegradeError(f"{text}: no such peer; known are {', '.join(PEERS)}, onnx=FILE")
    _cv2()
    return PEERS[name]


def _cv2() -> Any:
    try:
        import cv2
    except ModuleNotFoundError:
        raise UndegradeError(
            "peers need the extra peers (opencv is not installed): pip install 'undegrade[peers]'"
        ) from None
    cv2.setNumThreads(1)
    return cv2


def _non_local_means(picture: Pixels, kind: str | None) -> Pixels:
    sigma = _sigma(picture)
    if sigma < SMALL:
        return picture
    made = denoise_nl_means(picture, 5, 6, 0.7 * sigma, sigma=sigma, fast_mode=True, channel_axis=0)
    return made.astype(np.float32)


def _sigma(picture: Pixels) -> float:
    """Of the noise: the median of the finest diagonal Haar details, over 0.6745 (Donoho and Johnstone, 1994)."""
    height, width = (side // 2 * 2 for side in picture.shape[1:])
    even, odd = picture[:, 0:height:2], picture[:, 1:height:2]
    details = (even[..., 0:width:2] - even[..., 1:width:2] - odd[..., 0:width:2] + odd[..., 1:width:2]) / 2
    return float(np.median(np.abs(details)) / 0.6745)


def _bilateral(picture: Pixels, kind: str | None) -> Pixels:
    return _from_rows(_cv2().bilateralFilter(_rows(picture), 5, 0.06, 2.0))


def _median(picture: Pixels, kind: str | None) -> Pixels:
    return _from_rows(_cv2().medianBlur(_rows(picture), 5))


def _deconvolved(picture: Pixels, kind: str | None, *, by_wiener: bool) -> Pixels:
    """Of a disk of 2 pixels, as the blur is not known."""
    side = np.arange(-3, 4)
    disk = np.clip(2.5 - np.hypot(side[:, None], side), 0, 1)
    disk /= disk.sum()
    padded = np.pad(picture, ((0, 0), (16, 16), (16, 16)), "symmetric").astype(np.float64)
    sharpen = partial(wiener, balance=0.02, clip=False) if by_wiener else partial(richardson_lucy, num_iter=8)
    made = [sharpen(channel, disk) for channel in padded]
    return np.stack(made)[:, 16:-16, 16:-16].astype(np.float32)


def _dark_channel(picture: Pixels, kind: str | None) -> Pixels:
    """t = 1 - 0.95 min over 15 x 15 of min over colours of x / A; refined by a guided filter; J = (x - A) / t + A."""
    cv2 = _cv2()
    rows = _rows(picture)
    dark = cv2.erode(rows.min(2), np.ones((15, 15)))
    brightest = np.argsort(dark.ravel())[-max(1, dark.size // 1000) :]
    air = rows.reshape(-1, 3)[brightest].max(0)
    veil = 1 - 0.95 * cv2.erode((rows / np.maximum(air, SMALL)).min(2), np.ones((15, 15)))
    share = np.maximum(_guided(rows.mean(2), veil.astype(np.float32)), 0.1)[..., None]
    return _from_rows((rows - air) / share + air)


def _guided(guide: NDArray[np.float32], given: NDArray[np.float32]) -> NDArray[np.float32]:
    """The given map made to follow the edges of the guide (guided filter, He et al., 2010), radius 30."""
    blur = partial(_cv2().blur, ksize=(61, 61))
    means = blur(guide), blur(given)
    slope = (blur(guide * given) - means[0] * means[1]) / (blur(guide * guide) - means[0] ** 2 + 1e-3)
    return np.asarray(blur(slope) * guide + blur(means[1] - slope * means[0]), np.float32)


def _clahe(picture: Pixels, kind: str | None) -> Pixels:
    cv2 = _cv2()
    lab = cv2.cvtColor((_rows(picture) * 255).round().astype(np.uint8), cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(2.0, (8, 8)).apply(lab[..., 0])
    return _from_rows(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype(np.float32) / 255)


def _gamma(picture: Pixels, kind: str | None) -> Pixels:
    """The power by which the middle of the light becomes 0.4."""
    middle = float(np.clip(np.median(picture.mean(0)), 0.005, 0.995))
    return np.asarray(picture ** min(1.0, np.log(0.4) / np.log(middle)), np.float32)


def _classical(picture: Pixels, kind: str | None) -> Pixels:
    name = BEST.get(kind or "")
    return PEERS[name].restore(picture, kind) if name else picture


def _rows(picture: Pixels) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.clip(picture, 0, 1).transpose(1, 2, 0), dtype=np.float32)


def _from_rows(rows: NDArray[np.float32]) -> Pixels:
    return np.ascontiguousarray(np.clip(rows, 0, 1).transpose(2, 0, 1), dtype=np.float32)


def _onnx(path: Path) -> Peer:
    """Any network with one picture in and one out, (1, 3, H, W) in [0, 1]."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise UndegradeError(
            f"{path}: needs the extra onnx (onnxruntime is not installed): pip install 'undegrade[onnx]'"
        ) from None
    if not path.is_file():
        raise UndegradeError(f"{path}: no such file; expected an ONNX model")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds
        raise UndegradeError(f"{path}: is no ONNX model ({type(error).__name__})") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        shapes = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
        raise UndegradeError(f"{path}: takes {shapes}; expected one float picture (1, 3, height, width)")
    fixed = [side for side in inputs[0].shape[2:] if isinstance(side, int)]

    def restore(picture: Pixels, kind: str | None) -> Pixels:
        _, height, width = picture.shape
        if fixed and fixed != [height, width]:
            raise UndegradeError(f"{path}: takes pictures of {fixed[1]} x {fixed[0]} alone, not {width} x {height}")
        lacking = [0, 0] if fixed else [-side % MULTIPLE for side in (height, width)]
        padded = np.pad(picture, ((0, 0), (0, lacking[0]), (0, lacking[1])), "symmetric")[None].astype(np.float32)
        made = session.run([outputs[0].name], {inputs[0].name: padded})[0]
        if made.shape != padded.shape:
            raise UndegradeError(f"{path}: gives {made.shape} for {padded.shape}; expected the same")
        return np.asarray(made[0, :, :height, :width], np.float32)

    return Peer(about=f"{path.name}, run by onnxruntime", kinds=(), restore=restore)


SMALL = 1e-3
# What is best for each kind, by benchmarks/peers.py; for the others nothing helps.
BEST = {
    "noise": "nlm",
    "defocus_blur": "richardson_lucy",
    "haze": "dark_channel",
    "jpeg": "bilateral",
    "mosaic": "bilateral",
    "low_light": "gamma",
}

PEERS: dict[str, Peer] = {
    "nlm": Peer(
        about="non-local means (Buades et al., 2005), patches of 5 within 13 pixels, 0.7 of the estimated sigma",
        kinds=("noise",),
        restore=_non_local_means,
    ),
    "bilateral": Peer(
        about="bilateral filter (Tomasi and Manduchi, 1998), 5 pixels, sigma 0.06 in value and 2 in place",
        kinds=("noise", "jpeg", "mosaic"),
        restore=_bilateral,
    ),
    "median": Peer(about="median of 5 x 5", kinds=("rain", "snow", "inpainting"), restore=_median),
    "wiener": Peer(
        about="Wiener deconvolution of a disk of 2 pixels, balance 0.02; the true blur is not known to it",
        kinds=("defocus_blur", "motion_blur"),
        restore=partial(_deconvolved, by_wiener=True),
    ),
    "richardson_lucy": Peer(
        about="Richardson-Lucy deconvolution of a disk of 2 pixels, 8 rounds; the true blur is not known to it",
        kinds=("defocus_blur", "motion_blur"),
        restore=partial(_deconvolved, by_wiener=False),
    ),
    "dark_channel": Peer(
        about="dark channel prior (He et al., 2009), 15 x 15, omega 0.95, guided filter of radius 30",
        kinds=("haze",),
        restore=_dark_channel,
    ),
    "clahe": Peer(
        about="contrast-limited adaptive equalisation of L in Lab, limit 2, 8 x 8 fields",
        kinds=("low_light", "haze"),
        restore=_clahe,
    ),
    "gamma": Peer(about="the power that brings the median to 0.4", kinds=("low_light",), restore=_gamma),
    "classical": Peer(
        about="the best of these for each kind, and told the true kind, which no user is: an upper bound",
        kinds=(),
        restore=_classical,
    ),
}
