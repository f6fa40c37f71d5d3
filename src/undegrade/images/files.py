"""Picture files: opened, read, found in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images import containers, tiff
from undegrade.images.content import Content, open_content
from undegrade.images.formats import BITS, READ_SUFFIXES, SUFFIXES, find_format
from undegrade.images.heic import load_heic
from undegrade.images.limits import LIMITS, Limits
from undegrade.images.metadata import read_metadata, read_profile, refuse_large
from undegrade.images.picture import Metadata, Picture, to_unit
from undegrade.images.raw import NOTE as RAW_NOTE
from undegrade.images.raw import load_raw
from undegrade.images.vips import vips

# The loaders of libvips that are ever called; each takes a source, and with "_buffer" bytes.
LOADERS = {
    "PNG": "pngload",
    "JPEG": "jpegload",
    "TIFF": "tiffload",
    "WebP": "webpload",
    "AVIF": "heifload",
    "GIF": "gifload",
}
EXTRA_LOADERS = {"HEIC": load_heic, "RAW": load_raw}
LARGEST_EXTRA = 2 << 30  # bytes of a file that these are given
SRGB_OF = {"lab": "rgb16", "labs": "rgb16"}  # what other colour spaces become


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """A picture file whose header was read and found acceptable; the samples are computed when they are asked for.

    They can be asked for once, from top to bottom, unless the picture was turned.

    Args:
        path: of the file.
        image: an upright pyvips image, gray or RGB, perhaps with alpha, in the colour space of `profile`.
        form: the file's format, one of `READ_FORMATS`.
        pages: the numbers of its pages, for `open_image`; one but in TIFF files.
        profile: the ICC profile.
        metadata: EXIF, XMP, IPTC, comments, resolution.
        notes: what was changed or could not be kept, one sentence each.
    """

    path: Path
    image: Any
    form: str
    pages: tuple[int, ...]
    profile: bytes | None
    metadata: Metadata
    notes: tuple[str, ...]

    @property
    def turned(self) -> bool:
        """Whether the samples can be asked for in any order, because libvips had to keep all of them."""
        return not self.image.get_typeof("vips-sequential")

    @property
    def kind(self) -> tuple[object, ...]:
        """What has to be alike in all pages of one file: size, channels, depth, profile."""
        return self.image.width, self.image.height, self.image.bands, self.image.format, self.profile


def open_image(path: str | Path, limits: Limits = LIMITS, *, page: int | None = None) -> Opened:
    """The picture in a file, checked by its header; no pixel is decoded yet.

    Args:
        path: a PNG, JPEG, TIFF, WebP, AVIF or still GIF file, upright afterwards, in its own colour space.
        limits: how large it may be.
        page: of a TIFF file, one of `Opened.pages`; None opens the first.

    Raises:
        UndegradeError: the file is missing, empty, too large, damaged, no picture, or an animation.
    """
    path = Path(path)
    with open_content(path) as content:
        image, form, pages, notes = _open(path, content, limits, page)
        try:
            profile, profile_notes = read_profile(image, content, form, limits)
            metadata, metadata_notes = read_metadata(image, content, form, limits)
        except UndegradeError as error:
            raise UndegradeError(f"{path}: {error}") from None
    notes += profile_notes + metadata_notes
    return Opened(path=path, image=image, form=form, pages=pages, profile=profile, metadata=metadata, notes=notes)


def read_picture(path: str | Path, limits: Limits = LIMITS) -> Picture:
    """The only picture in a file, upright and in its own colour space.

    CMYK becomes sRGB through the file's profile, Lab by itself, and a note says so. 10 and 12-bit AVIF counts as 16
    bits. Floats must lie in [0, 1] and are taken as display values, not as linear light.

    Raises:
        UndegradeError: as for `open_image`; the pixels are cut short or damaged; or there are several pages.
    """
    opened = open_image(path, limits)
    if len(opened.pages) > 1:
        raise UndegradeError(f"{path}: holds {len(opened.pages)} pages; expected one, save the one you want alone")
    return decode(opened)


def refuse_unlike_pages(first: Opened, limits: Limits = LIMITS) -> None:
    """Refuses a file whose pages could not be written as one file again.

    Raises:
        UndegradeError: a page has another size, depth, colours or profile than the first, or is damaged.
    """
    for number, page in enumerate(first.pages[1:], start=2):
        if open_image(first.path, limits, page=page).kind != first.kind:
            raise UndegradeError(
                f"{first.path}: page {number} has another size, depth, colour space or profile than page 1; save the "
                "pages as single files"
            )


def decode(opened: Opened) -> Picture:
    """The opened picture with its pixels.

    Raises:
        UndegradeError: the pixels are cut short or damaged, or floats outside [0, 1].
    """
    path, image = opened.path, opened.image
    return picture_of(opened, unit_values(path, _samples(path, image, opened.form), image))


def picture_of(opened: Opened, values: NDArray[np.float32]) -> Picture:
    """The opened picture, or some rows of it, with these values, (C, H, W) in [0, 1]."""
    image = opened.image
    num_colours = 1 if image.bands < 3 else 3
    return Picture(
        pixels=np.repeat(values[:1], 3, axis=0) if num_colours == 1 else values[:3],
        alpha=values[num_colours:] if image.bands > num_colours else None,
        bits=BITS[image.format],
        gray=num_colours == 1,
        profile=opened.profile,
        metadata=opened.metadata,
        notes=opened.notes,
    )


def read_8bit(path: str | Path, limits: Limits = LIMITS) -> NDArray[np.uint8]:
    """The pixels of a file alone: (3, H, W), RGB, 0 to 255, upright; deeper samples are rounded, alpha is dropped.

    Raises:
        UndegradeError: as `read_picture`.
    """
    path = Path(path)
    with open_content(path) as content:
        return _8bit(path, content, limits)


def decode_8bit(data: bytes, source: str | Path, limits: Limits = LIMITS) -> NDArray[np.uint8]:
    """`read_8bit` of a file's content; `source` names it in errors."""
    return _8bit(Path(source), data, limits)


def _8bit(path: Path, content: Content, limits: Limits) -> NDArray[np.uint8]:
    image, form, pages, _ = _open(path, content, limits, None)
    if len(pages) > 1:
        raise UndegradeError(f"{path}: holds {len(pages)} pages; expected one, save the one you want alone")
    samples = _samples(path, image, form)
    if samples.dtype == np.uint8:
        planes = np.moveaxis(samples, 2, 0)
    else:
        planes = (unit_values(path, samples, image) * 255).round().astype(np.uint8)
    return planes[:1].repeat(3, axis=0) if image.bands < 3 else np.ascontiguousarray(planes[:3])


def _open(
    path: Path, content: Content, limits: Limits, page: int | None
) -> tuple[Any, str, tuple[int, ...], tuple[str, ...]]:
    """The upright image, the file's format, the numbers of its pages, and notes."""
    form = find_format(path, content)
    try:
        _refuse_animation(content, form)
        pages: tuple[int, ...] = () if page is None else (page,)
        if form == "TIFF" and page is None:
            pages = tuple(tiff.full_pages(content))
        image = _load(path, content, form, pages[0] if pages else 0, limits)
        num_pages = image.get("n-pages") if page is None and image.get_typeof("n-pages") else 1
        notes = _expanded(image, content, form)
        if 0 < len(pages) < num_pages or image.get_typeof("n-subifds"):
            notes += ("The smaller copies of the picture in the file are not kept.",)
        pages = pages or tuple(range(num_pages))
        if form != "TIFF" and num_pages > 1:
            raise UndegradeError(f"holds {num_pages} frames or pictures; expected one, save the one you want alone")
        _check_size(image.width, image.height, len(pages), limits)
        if image.get_typeof("icc-profile-data"):
            refuse_large("an ICC profile", len(image.get("icc-profile-data")), limits.max_profile)
        image, more = _rgb(image)
        if form not in EXTRA_LOADERS:  # which turn the picture themselves
            image = image.autorot()
    except vips().Error as error:
        raise UndegradeError(f"{path}: {_reason(form, error)}") from None
    except UndegradeError as error:
        raise UndegradeError(f"{path}: {error}") from None
    return image, form, pages, notes + more + ((RAW_NOTE,) if form == "RAW" else ())


def _refuse_animation(content: Content, form: str) -> None:
    is_sequence = form in ("AVIF", "HEIC") and content[8:12] in (b"avis", b"hevc", b"hevx", b"msf1")
    if is_sequence or (form == "PNG" and containers.is_animated_png(content)):
        raise UndegradeError("an animation, which is not restored; save the frame you want alone")


def _load(path: Path, content: Content, form: str, page: int, limits: Limits) -> Any:
    """The file as a pyvips image, by the loader of its format and no other."""
    if form in EXTRA_LOADERS:
        if len(content) > LARGEST_EXTRA:
            raise UndegradeError(f"{len(content)} bytes; {form} files of at most {LARGEST_EXTRA} are read")
        return EXTRA_LOADERS[form](content[:], lambda width, height: _check_size(width, height, 1, limits))
    options: dict[str, Any] = {"fail_on": "error", "access": "sequential"} | ({"page": page} if form == "TIFF" else {})
    image = _call_loader(path, content, form, options)
    if image.get_typeof("orientation") and image.get("orientation") > 1:
        # What is turned is not taken from top to bottom, so libvips has to keep all of it.
        image = _call_loader(path, content, form, options | {"access": "random"})
    return image


def _call_loader(path: Path, content: Content, form: str, options: dict[str, Any]) -> Any:
    pyvips = vips()
    if isinstance(content, bytes):
        return getattr(pyvips.Image, f"{LOADERS[form]}_buffer")(content, **options)
    # A second file handle: libvips moves its position when it decodes, long after this.
    with path.open("rb") as file:
        source = pyvips.Source.new_from_descriptor(file.fileno())
    return getattr(pyvips.Image, f"{LOADERS[form]}_source")(source, **options)


def _check_size(width: int, height: int, num_pages: int, limits: Limits) -> None:
    if num_pages > limits.max_pages:
        raise UndegradeError(f"{num_pages} pages; at most {limits.max_pages} are read")
    num_pixels = width * height * num_pages
    if num_pixels > limits.max_pixels:
        size = f"{width} x {height}" + (f" x {num_pages} pages" if num_pages > 1 else "")
        raise UndegradeError(
            f"{size}: more pixels than the limit of {limits.max_pixels}; raise it (--max-pixels) if you trust the file"
        )


def _reason(form: str, error: Exception) -> str:
    """What is wrong with a file that libvips refuses, in one line."""
    detail = " ".join(getattr(error, "detail", str(error)).split("\n")[0].split())
    if "labq" in detail:
        return "colours are 8-bit Lab; convert the file to RGB first"
    if "samples out of range" in detail:
        return "samples of 64 bits, or far too many channels; expected 8, 16 or 32 bits and up to 4 channels"
    return f"the {form} file is cut short or damaged; copy it again from its source ({detail or 'unreadable header'})"


def _rgb(image: Any) -> tuple[Any, tuple[str, ...]]:
    """The image with gray or RGB samples of a depth this room knows."""
    notes: tuple[str, ...] = ()
    if image.interpretation in SRGB_OF:
        image = image.colourspace(SRGB_OF[image.interpretation])
        notes = ("Lab was converted to sRGB at 16 bits; the file is written as RGB.",)
    if image.format not in BITS or image.coding != "none":
        raise UndegradeError(f"samples are {image.format}; expected 8 or 16 bits unsigned, or floats")
    if image.interpretation == "cmyk":
        depth = 16 if image.format == "ushort" else 8
        image = image.icc_transform(
            "srgb", embedded=True, input_profile="cmyk", intent="relative", black_point_compensation=True, depth=depth
        )
        notes = ("CMYK was converted to sRGB; the file is written as RGB.",)
    if image.interpretation in ("labq", "xyz"):
        raise UndegradeError(f"colours are {image.interpretation.upper()}; convert the file to RGB first")
    if image.bands > 4:
        raise UndegradeError(f"{image.bands} channels; expected gray or RGB, with or without transparency")
    return image, notes


def _expanded(image: Any, content: Content, form: str) -> tuple[str, ...]:
    """Notes on samples that are written wider than they were read."""
    if image.get_typeof("palette") or (form == "TIFF" and tiff.is_palette(content)):
        return ("The palette was expanded; the file is written as RGB.",)
    bits = image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 8
    if bits < 8 and image.format == "uchar":
        return (f"{bits}-bit samples were expanded to 8 bits.",)
    return ()


def _samples(path: Path, image: Any, form: str) -> NDArray[Any]:
    """All samples, (H, W, C), decoded now."""
    with damage_named(path, form):
        samples: NDArray[Any] = image.numpy().reshape(image.height, image.width, image.bands)
    return samples


@contextmanager
def damage_named(path: Path, form: str) -> Iterator[None]:
    """Where libvips finds a file damaged, say so in one line."""
    try:
        yield
    except vips().Error as error:
        raise UndegradeError(f"{path}: {_reason(form, error)}") from None


def unit_values(path: Path, samples: NDArray[Any], image: Any) -> NDArray[np.float32]:
    """(H, W, C) samples -> (C, H, W) in [0, 1]."""
    samples = np.moveaxis(samples, 2, 0)
    if image.format == "ushort" and image.get_typeof("bits-per-sample"):
        # Samples of 10 and 12 bits stand in the upper bits of 16.
        step = 1 << max(0, 16 - image.get("bits-per-sample"))
        return np.divide(np.ascontiguousarray(samples), 65536 - step, dtype=np.float32)
    values = to_unit(np.ascontiguousarray(samples))
    if samples.dtype.kind == "f" and not (values.min() >= 0 and values.max() <= 1):
        raise UndegradeError(
            f"{path}: floats from {values.min():g} to {values.max():g}; expected values in [0, 1], scale them first"
        )
    return values


def find_pictures(folder: str | Path, *, recursive: bool = False) -> list[Path]:
    """The picture files of a folder, sorted by name; `recursive`: also of the folders in it, links not followed.

    Raises:
        UndegradeError: there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UndegradeError(f"{folder}: no such folder; expected one with pictures")
    files = _files_below(folder) if recursive else folder.iterdir()
    paths = sorted(p for p in files if p.suffix.lower() in READ_SUFFIXES and p.is_file() and p.name[0] != ".")
    if not paths:
        raise UndegradeError(
            f"{folder}: no pictures in this folder; expected files ending in {', '.join(READ_SUFFIXES)}"
        )
    return paths


def _files_below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]  # hidden ones hold previews and the like
        yield from (Path(root, name) for name in names)


def natural_suffix(path: str | Path) -> str:
    """The ending of a file's format, by its content, such as ".jpg", or ".png" where the format is only read.

    Raises:
        UndegradeError: it is no picture.
    """
    endings = {name: ending for ending, name in reversed(SUFFIXES.items())}
    with open_content(Path(path)) as content:
        return endings.get(find_format(Path(path), content), ".png")
