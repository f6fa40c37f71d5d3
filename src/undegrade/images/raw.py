"""Camera RAW, what a sensor saw: developed by rawpy (LibRaw), which the extra `raw` brings."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.images.vips import vips

NOTE = "The RAW file was developed to sRGB at 16 bits with the camera's white balance."
# Power and slope at black of sRGB's curve (IEC 61966-2-1), as LibRaw takes them; its default is that of video.
SRGB_CURVE = (2.4, 12.92)


def load_raw(data: bytes, check: Callable[[int, int], None]) -> Any:
    """The developed picture, upright, sRGB, 16 bits, as a pyvips image.

    Args:
        data: the file.
        check: told width and height before anything is decoded; may raise.

    Raises:
        UndegradeError: the extra is not installed, or the file is damaged or of an unknown camera.
    """
    try:
        import rawpy
    except ImportError:
        raise UndegradeError(
            "a camera's RAW file, which needs the extra raw: pip install 'undegrade[raw]'; or develop it to .tif"
        ) from None
    try:
        with _quiet(), rawpy.RawPy() as sensor:
            sensor.open_buffer(io.BytesIO(data))
            sizes = sensor.sizes
            check(max(sizes.raw_width, sizes.width), max(sizes.raw_height, sizes.height))
            samples = sensor.postprocess(
                use_camera_wb=True,
                output_bps=16,
                output_color=rawpy.ColorSpace.sRGB,
                gamma=SRGB_CURVE,
                no_auto_bright=True,
            )
    except rawpy.LibRawError as error:
        detail = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error
        raise UndegradeError(
            f"the RAW file is damaged, or of a camera that LibRaw does not know ({detail}); develop it to .tif first"
        ) from None
    samples = samples.reshape(*samples.shape[:2], -1)
    interpretation = "grey16" if samples.shape[2] == 1 else "rgb16"
    return vips().Image.new_from_array(samples).copy(interpretation=interpretation)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps LibRaw from printing of damaged files past Python; what it prints is in its errors too."""
    with Path(os.devnull).open("wb") as nowhere:
        stderr = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
