"""Everything in a file beside its pixels: read from it, put into it again, and what could not be kept."""

from __future__ import annotations

from typing import Any

from undegrade.errors import UndegradeError
from undegrade.images import containers, exif, tiff, xmp
from undegrade.images.content import Content, Edit
from undegrade.images.limits import LIMITS, Limits
from undegrade.images.picture import Metadata, Picture
from undegrade.images.vips import vips

XMP_KEYWORD = "XML:com.adobe.xmp"  # the PNG text chunk that is no comment but the XMP packet
MILLIMETRES_PER_INCH = 25.4
HIGHEST_RESOLUTION = 1e6  # pixels per millimetre that libvips takes; more is damage
# What libvips is given for a picture that names no resolution, the usual 72 dots per inch; `complete` takes it out
# again, or, in TIFF, which requires a number, takes away its unit.
UNKNOWN_RESOLUTION = 72 / MILLIMETRES_PER_INCH


def read_metadata(image: Any, data: Content, form: str, limits: Limits = LIMITS) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata of a file, made to describe upright pixels, and notes on what is left out.

    Args:
        image: the file as an upright pyvips image.
        data: the file's bytes.
        form: its format, one of `READ_FORMATS`.
        limits: how large each part may be.

    Raises:
        UndegradeError: a part is larger than the limit.
    """
    notes: list[str] = []
    block, iptc = _field(image, "exif-data"), None
    comments: tuple[tuple[str, str], ...] = ()
    if form in ("TIFF", "RAW"):
        block, iptc = _read_tiff(data, notes)
    elif form == "JPEG":
        iptc, comments = _read_jpeg(data, notes, limits)
    elif form == "PNG":
        comments = _read_png(data, notes, limits)
    packet = _field(image, "xmp-data") or None
    for part, name in ((block, "an EXIF block"), (packet, "an XMP packet"), (iptc, "IPTC records")):
        refuse_large(name, len(part or b""), limits.max_metadata)
    if block is not None:
        block = exif.upright(block.removeprefix(containers.EXIF_MARK), image.width, image.height)
        if block is None:
            notes.append("The EXIF block is damaged and is left out.")
    if _names_resolution(image, data, form):
        resolution: tuple[float, float] | None = (image.xres, image.yres)
    else:
        resolution = exif.resolution_of(block) if block else None
    if resolution is not None and not all(0 < axis <= HIGHEST_RESOLUTION for axis in resolution):
        resolution = None
    if packet is not None:
        packet = xmp.upright(packet, image.width, image.height)
    return Metadata(exif=block, xmp=packet, iptc=iptc, comments=comments, resolution=resolution), tuple(notes)


def refuse_large(part: str, size: int, most: int) -> None:
    """Refuses a part of more than `most` bytes."""
    if size > most:
        raise UndegradeError(f"{part} of {size} bytes or more; at most {most} are read, take it out of the file")


def _field(image: Any, name: str) -> bytes | None:
    return bytes(image.get(name)) if image.get_typeof(name) else None


def read_profile(image: Any, data: Content, form: str, limits: Limits) -> tuple[bytes | None, tuple[str, ...]]:
    """The ICC profile, and a note where it is so damaged that libvips leaves it out.

    Raises:
        UndegradeError: it is larger than the limit.
    """
    profile = _field(image, "icc-profile-data")
    notes: tuple[str, ...] = ()
    if profile is None and form == "PNG":
        packed = next((content for name, content in containers.png_chunks(data) if name == b"iCCP"), None)
        if packed is not None:
            refuse_large("an ICC profile", containers.png_profile_size(packed, limits.max_profile), limits.max_profile)
            notes = ("The ICC profile is damaged and is left out: colours are taken as sRGB.",)
    return profile, notes


def _names_resolution(image: Any, data: Content, form: str) -> bool:
    """Whether the file says how large a pixel is; libvips answers 1 per mm or 72 per inch where it does not."""
    if form == "PNG":
        return any(name == b"pHYs" and content[8:9] == b"\1" for name, content in containers.png_chunks(data))
    if form == "TIFF" and image.get_typeof("resolution-unit"):
        return image.get("resolution-unit") != "none"
    return form == "JPEG" and bool(image.get_typeof("resolution-unit"))


def _read_tiff(data: Content, notes: list[str]) -> tuple[bytes | None, bytes | None]:
    block, directory = tiff.describe(data)
    if tiff.PHOTOSHOP in directory or tiff.LAYERS in directory:
        notes.append("Photoshop's layers, paths and other resources are not kept.")
    return block, directory[tiff.IPTC].value if tiff.IPTC in directory else None


def _read_jpeg(data: Content, notes: list[str], limits: Limits) -> tuple[bytes | None, tuple[tuple[str, str], ...]]:
    iptc, comments, size = None, [], 0
    for marker, content in containers.jpeg_segments(data):
        if marker == containers.APP13 and content.startswith(containers.PHOTOSHOP_MARK):
            iptc = iptc or containers.iptc_of(content)
        elif marker == containers.APP2 and content.startswith(b"MPF\0"):
            notes.append("Further pictures in the file (a preview, a depth map or an HDR gain map) are not kept.")
        elif marker == containers.APP1 and content.startswith(xmp.EXTENSION_MARK):
            notes.append("The extended part of the XMP packet is not kept.")
        elif marker == containers.COMMENT:
            size += len(content)
            refuse_large("comments", size, limits.max_metadata)
            comments.append(("Comment", content.rstrip(b"\0").decode("utf-8", "replace")))
    notes[:] = dict.fromkeys(notes)  # each once
    return iptc, tuple(comments)


def _read_png(data: Content, notes: list[str], limits: Limits) -> tuple[tuple[str, str], ...]:
    comments, names, size = [], {}, 0
    for name, content in containers.png_chunks(data):
        if name in (b"gAMA", b"cICP", b"iCCP", b"sRGB"):
            names[name] = content
        comment = containers.png_text(name, content)
        if comment and comment[0] != XMP_KEYWORD:
            size += len(comment[1])
            refuse_large("comments", size, limits.max_metadata)
            comments.append(comment)
    standard_gamma = names.get(b"gAMA", (45455).to_bytes(4)) == (45455).to_bytes(4)
    if b"cICP" in names or (not standard_gamma and not names.keys() & {b"iCCP", b"sRGB"}):
        notes.append("The PNG colour chunks gAMA, cHRM and cICP are not kept; only an ICC profile is.")
    return tuple(comments)


def attach(image: Any, picture: Picture, form: str) -> Any:
    """The pyvips image with what libvips can be trusted to write; `complete` adds the rest.

    That is the profile and the resolution, and in TIFF, WebP and AVIF the XMP packet. (Its XMP in PNG is compressed,
    which the XMP specification forbids, and its JPEG names a resolution only inside EXIF.) In WebP and AVIF it keeps a
    place for EXIF.
    """
    blob = vips().GValue.blob_type
    metadata = picture.metadata
    across, down = metadata.resolution or (UNKNOWN_RESOLUTION, UNKNOWN_RESOLUTION)
    image = image.copy(xres=across, yres=down)
    if picture.profile is not None:  # libvips leaves a gray one out of a colour file
        image.set_type(blob, "icc-profile-data", picture.profile)
    if metadata.xmp is not None and form not in ("PNG", "JPEG"):
        image.set_type(blob, "xmp-data", metadata.xmp)
    if metadata.exif is not None and form in ("WebP", "AVIF"):
        image.set_type(blob, "exif-data", containers.EXIF_MARK + exif.placeholder(len(metadata.exif)))
    return image


def kept_by_vips(metadata: Metadata, form: str) -> str:
    """Which metadata libvips may write; it would make up an EXIF block where the picture has none."""
    return "icc|xmp|exif" if metadata.exif and form in ("WebP", "AVIF") else "icc|xmp"


def complete(encoded: Content, metadata: Metadata, form: str) -> list[Edit]:
    """What puts into the encoded file what libvips did not write: EXIF byte for byte, XMP, IPTC, comments."""
    if form == "PNG":
        added = containers.chunks_edit(encoded, _png_chunks(metadata))
        return [added] if metadata.resolution else [added, containers.chunk_removal(encoded, b"pHYs")]
    if form == "JPEG":
        return [containers.segments_edit(encoded, _jpeg_segments(metadata))]
    if form == "TIFF":
        return tiff.insertion(encoded, metadata.exif, metadata.iptc, has_resolution=metadata.resolution is not None)
    if metadata.exif:
        data = encoded[:]
        held = _field(vips().Image.new_from_buffer(data, ""), "exif-data") or b""
        held = held.removeprefix(containers.EXIF_MARK)
        if len(held) >= len(metadata.exif) and data.count(held) == 1:
            at = data.index(held)
            return [(at, at + len(held), metadata.exif.ljust(len(held), b"\0"))]
    return []


def _png_chunks(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    chunks = [(b"eXIf", metadata.exif)] if metadata.exif else []
    if metadata.xmp:
        chunks.append((b"iTXt", XMP_KEYWORD.encode() + bytes(5) + metadata.xmp))
    return chunks + [containers.png_text_chunk(*comment) for comment in metadata.comments]


def _jpeg_segments(metadata: Metadata) -> list[tuple[int, bytes]]:
    segments = [(containers.APP0, containers.jfif_of(metadata.resolution))]
    if metadata.exif:
        segments.append((containers.APP1, containers.EXIF_MARK + metadata.exif))
    if metadata.xmp:
        segments.append((containers.APP1, containers.XMP_MARK + metadata.xmp))
    if metadata.iptc:
        segments.append((containers.APP13, containers.photoshop_of(metadata.iptc)))
    return segments + [(containers.COMMENT, text.encode()) for key, text in metadata.comments if key == "Comment"]


def lost(image: Any, encoded: Content, picture: Picture, form: str) -> list[str]:
    """What the picture has and the encoded file, read back as `image`, has not, one sentence each."""
    held, _ = read_metadata(image, encoded, form)
    metadata = picture.metadata
    notes = []
    if picture.profile is not None and _field(image, "icc-profile-data") != picture.profile:
        notes.append(f"The ICC profile does not fit into this {form} file: colours may look different.")
    if metadata.exif is not None and not _same_exif(held.exif, metadata.exif):
        notes.append(f"{form} cannot keep all of the EXIF block.")
    if metadata.xmp is not None and held.xmp != metadata.xmp:
        notes.append(f"{form} cannot keep this XMP packet ({len(metadata.xmp)} bytes).")
    if metadata.iptc is not None and held.iptc != metadata.iptc:
        notes.append(f"{form} cannot keep the IPTC records.")
    missing = [key for key, text in metadata.comments if (key, text) not in held.comments]
    if missing:
        notes.append(f"{form} cannot keep the comments {', '.join(missing)}.")
    if metadata.resolution is not None and held.resolution is None:
        notes.append(f"{form} cannot keep the resolution.")
    return notes


def _same_exif(held: bytes | None, wanted: bytes) -> bool:
    if held is None:
        return False
    if held.rstrip(b"\0") == wanted.rstrip(b"\0"):
        return True
    # In a TIFF file the same tags stand in another order, byte order and place.
    tags, wanted_tags = exif.read_block(held), exif.read_block(wanted)
    if tags is None or wanted_tags is None:
        return False
    described = {tag: entry for tag, entry in wanted_tags.items() if tag in tiff.DESCRIPTIVE}
    return _paths(described) <= _paths(tags)


def _paths(directory: exif.Directory) -> set[tuple[int, ...]]:
    """Every tag with the tags that lead to it."""
    below = {(tag, *path) for tag, entry in directory.items() for path in _paths(entry.directory or {})}
    return below | {(tag,) for tag in directory}
