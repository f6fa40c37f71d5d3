"""Pictures that every test of this folder may ask for."""

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" tiff:Make="Cam"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    """(40, 56, 3): smooth gradients with an edge, no two corners alike."""
    down, across = np.mgrid[0:40, 0:56]
    picture = np.stack([across * 4, down * 6, 200 - across * 2 - down], axis=2)
    picture[10:20, 30:50] = (230, 40, 90)
    return picture.astype(np.uint8)


@pytest.fixture(scope="session")
def wide_profile() -> bytes:
    """The ICC profile of Display P3, wider than sRGB."""
    return bytes(pyvips.Operation.call("profile_load", "p3"))


@pytest.fixture(scope="session")
def exif() -> bytes:
    """An EXIF block with what libexif would lose: letters beyond ASCII, a rating, an unknown tag, maker notes."""
    block = Image.Exif()
    block[ExifTags.Base.Make] = "Cam"
    block[ExifTags.Base.Artist] = "Jürgen"
    block[ExifTags.Base.Orientation] = 6
    block[ExifTags.Base.XResolution] = block[ExifTags.Base.YResolution] = IFDRational(300)
    block[ExifTags.Base.ResolutionUnit] = 2
    block[ExifTags.Base.Rating] = 5
    below = block.get_ifd(ExifTags.IFD.Exif)
    below[ExifTags.Base.LensModel] = "Lens 24-70"
    below[ExifTags.Base.ISOSpeedRatings] = 400
    below[ExifTags.Base.MakerNote] = b"Maker" + bytes(range(60))
    below[ExifTags.Base.ExifImageWidth] = 99
    below[ExifTags.Base.CameraOwnerName] = "Zoë"
    position = block.get_ifd(ExifTags.IFD.GPSInfo)
    position[ExifTags.GPS.GPSLatitudeRef] = "N"
    position[ExifTags.GPS.GPSLatitude] = (IFDRational(48), IFDRational(51), IFDRational(30))
    return block.tobytes()


@pytest.fixture(scope="session")
def xmp() -> bytes:
    """An XMP packet that names an orientation too."""
    return XMP
