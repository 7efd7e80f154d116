"""Pixels as ImageJ has them: 8 and 16 bits, 32-bit floating point, and RGB."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from dask_napari.model import AnyArray, Item, Refusal

EXACT: Final = 1 << 24
"""Whole numbers up to this one are exact as 32-bit floating point numbers."""

RGB_DEPTH: Final = 24
_TYPES: Final = {"u1": 8, "u2": 16}
_NAMES: Final = {8: "8-bit", 16: "16-bit", RGB_DEPTH: "RGB", 32: "32-bit"}


class StackPixels(NamedTuple):
    """Pixels of an item, bits of a pixel in ImageJ, and what was lost."""

    data: AnyArray
    depth: int
    note: str = ""

    @property
    def type_name(self) -> str:
        """Return the name of the type in ImageJ."""
        return _NAMES[self.depth]


def imagej_pixels(item: Item) -> StackPixels:
    """Return the pixels of an image or labels in the type of ImageJ that holds most of them.

    The type follows from the item's own type alone, so that a layer stays in one window. Raises
    Refusal for labels that two would share.

    >>> pixels = imagej_pixels(Item("a", "image", np.array([[-1, 2]], "i2")))
    >>> pixels.type_name, pixels.data.tolist(), pixels.note
    ('32-bit', [[-1.0, 2.0]], '')
    >>> imagej_pixels(Item("a", "image", np.array([[2**24 + 1]], "u4"))).note
    'numbers beyond 16777216 are rounded to 32-bit floating point'
    """
    data = item.data
    if item.rgb:
        return _rgb(data)
    code = f"{data.dtype.kind}{data.dtype.itemsize}"
    if code in _TYPES:
        return StackPixels(data.astype(f"<{code}", copy=False), _TYPES[code])
    note = ""
    if data.dtype.kind in "iu" and data.dtype.itemsize > 2:
        if max(int(data.max()), -int(data.min())) > EXACT:
            if item.kind == "labels":
                raise Refusal(
                    "labels beyond 16777216",
                    "ImageJ's 32-bit pixels would make one label of several; relabel them",
                )
            note = f"numbers beyond {EXACT} are rounded to 32-bit floating point"
    elif code == "f8":
        note = "64-bit numbers are rounded to 32-bit floating point"
    with np.errstate(over="ignore"):  # beyond 3e38: infinite
        return StackPixels(data.astype("<f4", copy=False), 32, note)


def _rgb(data: AnyArray) -> StackPixels:
    notes = ["alpha is left out"] if data.shape[-1] == 4 else []
    colours = data[..., :3]
    if colours.dtype == np.uint16:
        notes.append("colours are cut to 8 bits")
        colours = colours >> 8
    elif colours.dtype.kind == "f":
        notes.append("colours are rounded to 8 bits")
        colours = np.rint(np.clip(np.nan_to_num(colours), 0, 1) * 255)
    elif colours.dtype != np.uint8:
        raise Refusal(
            f"colours of {colours.dtype}",
            "ImageJ shows colours of uint8, and uint16 and floats from 0 to 1 rounded to these",
        )
    packed = np.zeros(data.shape[:-1], "<u4")
    for band in range(3):
        packed |= colours[..., band].astype("<u4") << np.uint32(16 - 8 * band)
    return StackPixels(packed, RGB_DEPTH, "; ".join(notes))


def plane_range(plane: AnyArray) -> tuple[float, float]:
    """Return the least and the largest finite number of a plane; NaN if there is none.

    >>> plane_range(np.array([1.0, np.nan, 3.0, np.inf]))
    (1.0, 3.0)
    """
    if plane.dtype.kind == "f":
        plane = plane[np.isfinite(plane)]
    return (float(plane.min()), float(plane.max())) if plane.size else (np.nan, np.nan)
