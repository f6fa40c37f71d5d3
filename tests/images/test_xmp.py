import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from undegrade.errors import UndegradeError
from undegrade.images import SUFFIXES, Picture, read_picture, with_restoration, write_picture
from undegrade.images.containers import segments_edit
from undegrade.images.content import spliced
from undegrade.images.picture import Metadata
from undegrade.images.xmp import EXTENSION_MARK, NAMESPACE, RDF, upright

PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f' <rdf:RDF xmlns:rdf="{RDF}">\n  <rdf:Description rdf:about="uuid:7" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' dc:format="image/jpeg"><dc:creator><rdf:Seq><rdf:li>Zoë</rdf:li></rdf:Seq></dc:creator></rdf:Description>\n'
    ' </rdf:RDF>\n</x:xmpmeta>\n     \n<?xpacket end="w"?>'
).encode()


def restorations(packet: bytes | None) -> list[dict[str, str]]:
    """What stands in the packet, read by an XML parser."""
    assert packet is not None
    tree = ET.fromstring(packet.decode().strip("\ufeff\n "))
    path = f".//{{{NAMESPACE}}}Restorations/{{{RDF}}}Seq/{{{RDF}}}li/{{{RDF}}}Description"
    return [{name.removeprefix(f"{{{NAMESPACE}}}"): value for name, value in e.items()} for e in tree.findall(path)]


FACTS = {"Model": 'a "quoted" <name> & more', "Diagnosis": "rain"}


def with_segments(jpeg: bytes, segments: list[tuple[int, bytes]]) -> bytes:
    return b"".join(spliced(jpeg, [segments_edit(jpeg, segments)]))


def test_a_restoration_is_recorded_in_a_packet_of_its_own() -> None:
    assert restorations(with_restoration(None, FACTS)) == [FACTS]


def test_a_record_is_added_and_nothing_is_lost() -> None:
    once = with_restoration(PACKET, FACTS)
    before, _, behind = PACKET.partition(b"</rdf:RDF>")
    assert once.startswith(before)
    assert once.endswith(b"</rdf:RDF>" + behind)
    assert restorations(once) == [FACTS]
    abouts = {e.get(f"{{{RDF}}}about") for e in ET.fromstring(once.decode()).iter(f"{{{RDF}}}Description")}
    assert abouts == {"uuid:7", None}  # one subject; the item of the list has none
    twice = with_restoration(once, FACTS | {"Diagnosis": "noise"})
    assert restorations(twice) == [FACTS, FACTS | {"Diagnosis": "noise"}]
    assert len(ET.fromstring(twice.decode()).findall(f".//{{{NAMESPACE}}}Restorations")) == 1


@pytest.mark.parametrize("packet", [b"no XML", PACKET.decode().encode("utf-16"), b"\xff\xfe"])
def test_a_packet_that_cannot_take_it_is_named(packet: bytes) -> None:
    with pytest.raises(UndegradeError, match="the XMP packet is damaged or not in UTF-8"):
        with_restoration(packet, FACTS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_record_survives_every_format(suffix: str, tmp_path: Path) -> None:
    metadata = Metadata(xmp=with_restoration(PACKET, FACTS))
    picture = Picture(pixels=np.zeros((3, 16, 16), np.float32), metadata=metadata)
    assert write_picture(picture, tmp_path / f"out{suffix}") == ()
    assert restorations(read_picture(tmp_path / f"out{suffix}").metadata.xmp) == [FACTS]


def test_the_size_follows_the_turned_picture_and_previews_go() -> None:
    packet = (
        b'<x tiff:Orientation="6" tiff:ImageWidth="56" tiff:ImageLength = \'40\' xmpNote:HasExtendedXMP="0A1B">'
        b"<exif:PixelXDimension>56</exif:PixelXDimension><exif:PixelYDimension>40</exif:PixelYDimension>"
        b"<xmp:Thumbnails><rdf:Alt>\n/9j/old</rdf:Alt></xmp:Thumbnails></x>"
    )
    assert upright(packet, 40, 56) == (
        b'<x tiff:Orientation="1" tiff:ImageWidth="40" tiff:ImageLength = \'56\'>'
        b"<exif:PixelXDimension>40</exif:PixelXDimension><exif:PixelYDimension>56</exif:PixelYDimension></x>"
    )


def test_a_second_part_of_the_packet_is_noted_once(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "in.jpg"
    Image.fromarray(photo).save(path)
    path.write_bytes(with_segments(path.read_bytes(), [(0xE1, EXTENSION_MARK + b"part")] * 2))
    assert read_picture(path).notes == ("The extended part of the XMP packet is not kept.",)
