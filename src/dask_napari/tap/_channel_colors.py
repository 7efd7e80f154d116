"""Colours of channels: by the names of dyes, and in OME metadata."""

from __future__ import annotations

import re
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

# Dyes, proteins, laser lines and ways of lighting, by the colour that figures usually give them:
# that of the light they emit, with cyan, orange and magenta where neighbours must differ.
_USUAL: Final = {
    "blue": "DAPI, Hoechst, Hoechst33342, Hoechst33258, BFP, EBFP, mTagBFP, PacificBlue, DNA,"
    " Nuclei, AF350, Alexa350, AF405, Alexa405, 350, 358, 385, 405",
    "cyan": "CFP, ECFP, mCerulean, mTurquoise, mTurquoise2, AmCyan, 430, 445",
    "green": "GFP, EGFP, FITC, mNeonGreen, mEmerald, Fluo4, Calcein, GCaMP, SYTO9, Cy2, AF488,"
    " Alexa488, 470, 475, 488, 490",
    "yellow": "YFP, EYFP, mVenus, Venus, mCitrine, JC1, AF514, AF532, Alexa532, 514, 532",
    "orange": "Cy3, TRITC, DsRed, tdTomato, mOrange, Rhodamine, PE, TMRM, AF546, Alexa546, AF555,"
    " Alexa555, 546, 555",
    "red": "RFP, mCherry, mRFP, mScarlet, mKate2, TexasRed, TxRed, PI, MitoTracker, AF568,"
    " Alexa568, AF594, Alexa594, 561, 568, 594",
    "magenta": "Cy5, iRFP, APC, FarRed, DRAQ5, SiR, AF633, Alexa633, AF647, Alexa647, 633, 635,"
    " 638, 640, 647",
    "pink": "Cy5.5, Cy7, NIR, AF680, Alexa680, AF750, Alexa750, 680, 730, 750, 785",
    "gray": "BF, Brightfield, TL, Transmitted, Transmission, DIC, Phase, PhC, TPhase, POL",
}
KNOWN: Final = {name: color for color, names in _USUAL.items() for name in names.split(", ")}
"""Names as they are usually written -> colours that napari knows."""

_PLAIN: Final = {re.sub(r"[\W_]", "", name).casefold(): color for name, color in KNOWN.items()}

_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}|[A-Za-z][A-Za-z0-9 _-]*")


def color_of(name: str) -> str:
    """Return the usual colour of a channel by its name, empty if the name is unknown."""
    words = [word.casefold() for word in re.split(r"[\W_]+", name) if word]
    # The longest first: "Cy5.5" differs from "Cy5", and "Texas Red" is one dye.
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            found = _PLAIN.get("".join(words[start : start + length]))
            if found:
                return found
    return ""


def colors_by_spelling() -> dict[str, str]:
    """Return the usual colours by each common spelling of a name, for lookups by text."""
    return {
        spelling: color
        for name, color in KNOWN.items()
        for spelling in (name, name.lower(), name.upper())
    }


def checked_color(color: object) -> str:
    """Return a colour; refuse values that are neither a name nor ``"#rrggbb"``."""
    if isinstance(color, str) and _COLOR.fullmatch(color):
        return color
    error = ValueError if isinstance(color, str) else TypeError
    raise error(f"color {color!r} is unknown; give a name such as 'blue', or '#rrggbb'")


def ome_channels(xml: object) -> list[tuple[str, str]]:
    """Return name and colour of the channels of the first image in OME-XML, as far as given.

    Entities and document types are refused: OME-XML has none, and they can make a short text
    fill all memory.
    """
    if not isinstance(xml, str):
        raise TypeError(
            f"ome= takes OME-XML as text, not a {type(xml).__name__}; of a file it is"
            " tifffile.TiffFile(path).ome_metadata, of ome_types it is .to_xml()"
        )
    if "<" not in xml:
        raise ValueError(
            f"ome={xml[:80]!r} is not OME-XML; of a file it is tifffile.TiffFile(path).ome_metadata"
        )
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise ValueError(f"ome= is not OME-XML: {error}") from error
    image = next((node for node in root.iter() if _tag(node) == "Image"), None)
    # Newer and older schemas put Channel into Pixels or Image, with a namespace for each version.
    nodes = [] if image is None else [node for node in image.iter() if _tag(node) == "Channel"]
    if not nodes:
        raise ValueError("ome= describes no Image with a Channel; give OME-XML that does")
    return [
        (node.get("Name") or node.get("Fluor") or "", _rgb(node.get("Color"))) for node in nodes
    ]


def _tag(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]


def _rgb(color: str | None) -> str:
    """Return the colour that OME writes as one signed integer of red, green, blue and alpha."""
    if color is None:
        return ""
    try:
        number = int(color)
    except ValueError:
        raise ValueError(f"ome= has Color={color!r}, which is not a whole number") from None
    return f"#{(number >> 8) & 0xFFFFFF:06x}"
