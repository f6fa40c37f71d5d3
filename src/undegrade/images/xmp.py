"""XMP packets: made to describe the picture as it is now, and told what was done to it.

A packet is RDF in XML. It is changed as text, so that whatever else stands in it stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from undegrade.errors import UndegradeError

NAMESPACE = "urn:undegrade:restoration:1#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXTENSION_MARK = b"http://ns.adobe.com/xmp/extension/\0"  # before each part of what did not fit into a JPEG's packet

_ORIENTATION = rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*"  # as an attribute, or as an element
_SIZES = {
    "width": (rb"tiff:ImageWidth", rb"exif:PixelXDimension"),
    "height": (rb"tiff:ImageLength", rb"exif:PixelYDimension"),
}
_PREVIEWS = re.compile(rb"<xmp:Thumbnails\b.*?</xmp:Thumbnails>\s*", re.DOTALL)
_EXTENDED = re.compile(rb"""\s*xmpNote:HasExtendedXMP\s*=\s*(?:"[^"]*"|'[^']*')""")
_HISTORY_END = re.compile(r"</rdf:Seq>\s*</undegrade:Restorations>")


def upright(packet: bytes, width: int, height: int) -> bytes:
    """The packet of an upright picture: Orientation 1 (which some viewers believe rather than EXIF's), this size in
    pixels, no embedded preview, and no pointer to further parts of it.
    """
    packet = re.sub(rb"(" + _ORIENTATION + rb")[2-8]", rb"\g<1>1", packet)
    for side, value in (("width", width), ("height", height)):
        for name in _SIZES[side]:
            packet = re.sub(rb"(" + name + rb"(?:\s*=\s*[\"']|>)\s*)\d+", rb"\g<1>%d" % value, packet)
    return _EXTENDED.sub(b"", _PREVIEWS.sub(b"", packet))


def with_restoration(packet: bytes | None, facts: Mapping[str, str]) -> bytes:
    """The packet (or a new one) with one restoration more: `undegrade:Restorations`, a sequence, the last one last.

    Args:
        packet: in UTF-8, as it is in all but odd files.
        facts: by names in CamelCase, such as {"Model": "universal-small"}.

    Raises:
        UndegradeError: the packet is no XMP in UTF-8.
    """
    if not packet:
        packet = (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
            f'<rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
        ).encode()
    try:
        text = packet.decode()
    except UnicodeDecodeError:
        text = ""
    end = text.rfind("</rdf:RDF>")
    if end < 0:
        raise UndegradeError("the XMP packet is damaged or not in UTF-8, so the record cannot be added to it")
    values = " ".join(f"undegrade:{name}={quoteattr(value)}" for name, value in facts.items())
    item = f"<rdf:li><rdf:Description {values}/></rdf:li>"
    if NAMESPACE in text and (history := _HISTORY_END.search(text)):
        return (text[: history.start()] + item + text[history.start() :]).encode()
    # All descriptions of one packet have to be about the same thing, most often "".
    about = re.search(r"""rdf:about\s*=\s*("[^"]*"|'[^']*')""", text)
    description = (
        f'<rdf:Description rdf:about={about[1] if about else quoteattr("")} xmlns:undegrade="{NAMESPACE}">'
        f"<undegrade:Restorations><rdf:Seq>{item}</rdf:Seq></undegrade:Restorations></rdf:Description>"
    )
    return (text[:end] + description + text[end:]).encode()
