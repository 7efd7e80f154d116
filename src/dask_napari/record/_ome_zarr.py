"""OME-Zarr 0.5: the axes of images, the coordinates along them, and their metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from dask_napari.model import (
    ARRIVAL_AXIS,
    CHANNELS,
    SPATIAL,
    TIMES,
    Coordinate,
    Item,
    ItemMeta,
    Provenance,
    natural_key,
)

VERSION: Final = "0.5"
KEY: Final = "dask-napari"  # of our own attributes, beside "ome"

FREE_LIMIT: Final = 256  # indices that may stay free below a whole number that is its own

_PREFIXES: Final = (
    *("", "yocto", "zepto", "atto", "femto", "pico", "nano", "micro", "milli", "centi", "deci"),
    *("hecto", "kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta"),
)
# That OME-Zarr names.
UNITS: Final = {
    "space": {f"{prefix}meter" for prefix in _PREFIXES}
    | {"angstrom", "foot", "inch", "mile", "parsec", "yard"},
    "time": {f"{prefix}second" for prefix in _PREFIXES} | {"day", "hour", "minute"},
}
SYMBOLS: Final = {
    **dict.fromkeys(("um", "µm", "μm", "micron"), "micrometer"),
    **{"nm": "nanometer", "mm": "millimeter", "cm": "centimeter", "m": "meter"},
    **{"s": "second", "ms": "millisecond", "min": "minute", "h": "hour"},
}


class ImageAxis(msgspec.Struct, frozen=True):
    """One axis of the array of an image."""

    name: str
    type: Literal["time", "channel", "space", ""]  # in OME-Zarr; empty for a custom one
    own: int = -1  # the axis of the items' data that it is; -1 if it is made of positions
    names: tuple[str, ...] = ()  # the axes of positions that it is made of


class ImageFamily(msgspec.Struct, frozen=True):
    """Properties that all items of one image share, but for their size."""

    meta: ItemMeta
    """The position has the axes with an image for each value; the origin of chunks is 0."""
    axes: tuple[ImageAxis, ...]
    dtype: str
    colors: int  # length of the colour axis, 0 if there is none
    run: int = 1  # earlier versions told no runs apart


def family_of(item: Item, order: Sequence[str] = ()) -> ImageFamily | None:
    """Return the family of an item's image, None if OME-Zarr cannot hold it.

    OME-Zarr has at most one axis of time, one of channels or of a custom type, and two or three
    in space, in this order. Several axes of positions become one, whose coordinates are tuples,
    in the given order or as the item names them. Where its place is taken, by channels or colours,
    there is an image for each value.

    >>> import numpy as np
    >>> item = Item("raw", "image", np.zeros((4, 5)), {"well": "A01", "t": 3, "field": 1})
    >>> [axis.name for axis in family_of(item).axes]
    ['t', 'well,field', 'y', 'x']
    """
    ndim, known = item.data.ndim - item.rgb, item.calibration
    names = known.axes
    if len(names) != ndim:  # not known
        names = (*(f"dim{number}" for number in range(ndim, 3, -1)), *SPATIAL[-min(ndim, 3) :])
    time: ImageAxis | None = None
    further = ImageAxis("c", "channel", ndim) if item.rgb else None
    space = [ImageAxis(names[own], "space", own) for own in (ndim - 2, ndim - 1)]
    for own in reversed(range(ndim - 2)):
        name = names[own]
        if name.casefold() in TIMES and time is None:
            time = ImageAxis(name, "time", own)
        elif name.casefold() in CHANNELS and further is None:
            further = ImageAxis(name, "channel", own)
        elif len(space) == 2 and own == ndim - 3:
            space.insert(0, ImageAxis(name, "space", own))
        elif further is None:
            further = ImageAxis(name, "", own)
        else:
            return None
    split = list(order or item.at)
    times = [name for name in split if name.casefold() in TIMES]
    if time is None and times and times[0] not in names:
        time = ImageAxis(times[0], "time", names=(times[0],))
        split.remove(times[0])
    channels = [name for name in split if name.casefold() in CHANNELS]
    others = tuple(name for name in split if name not in channels)
    if further is None and split:
        merged = others or (channels[0],)
        further = ImageAxis(",".join(merged), "" if others else "channel", names=merged)
        split = [name for name in split if name not in merged]
    axes = tuple(axis for axis in (time, further, *space) if axis is not None)
    if len({axis.name for axis in axes}) != len(axes):
        return None
    meta = replace(
        item.meta,
        position={name: item.at[name] for name in split},
        provenance=Provenance(),
        calibration=replace(known, translate=()),
        origin=(0,) * len(item.origin),
        options={},
    )
    dtype = item.data.dtype.newbyteorder("=").str
    return ImageFamily(meta, axes, dtype, item.data.shape[-1] if item.rgb else 0, item.run)


class CoordinateIndex:
    """Index of coordinates on one position axis or several, kept while a record grows.

    A whole number is its own index where that leaves few indices free, so that frames are in order
    although they arrive in another; everything else comes next. Closing the record sorts the rest.

    >>> frames, wells = CoordinateIndex(("t",)), CoordinateIndex(("well",))
    >>> [frames.add((t,)) for t in (2, 0, 1)], [wells.add((w,)) for w in ("A2", "A1")]
    ([2, 0, 1], [0, 1])
    >>> wells.order()
    [1, 0]
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._by_arrival = names == (ARRIVAL_AXIS,)
        self._indices: dict[tuple[Coordinate, ...], int] = {}
        self._coordinates: dict[int, tuple[Coordinate, ...]] = {}
        self._next = 0

    def __repr__(self) -> str:
        return f"<CoordinateIndex {','.join(self.names)}: {len(self._indices)}>"

    def add(self, coordinates: tuple[Coordinate, ...]) -> int:
        """Return the index of coordinates, a new one if need be."""
        index = self._indices.get(coordinates)
        if index is None:
            index, value = self._next, coordinates[0]
            if isinstance(value, int) and len(coordinates) == 1 and not self._by_arrival:
                most = 2 * len(self._indices) + FREE_LIMIT
                index = value if 0 <= value < most and value not in self._coordinates else index
            self.set(coordinates, index)
        return index

    def set(self, coordinates: tuple[Coordinate, ...], index: int) -> None:
        """Take over the index of coordinates from a journal."""
        self._indices[coordinates] = index
        self._coordinates[index] = coordinates
        self._next = max(self._next, index + 1)

    def order(self) -> list[int]:
        """Return the indices in the natural order of their coordinates, or that of arrival."""
        if self._by_arrival:
            return sorted(self._coordinates)
        keys = {index: [*map(natural_key, at)] for index, at in self._coordinates.items()}
        return sorted(keys, key=keys.__getitem__)

    def values(self) -> list[Any]:
        """Return coordinates by index, None where one is free; lists where an axis is several."""
        found = map(self._coordinates.get, range(self._next))
        return [each and (list(each) if len(self.names) != 1 else each[0]) for each in found]


def unit_of(name: str, axis_type: str) -> str:
    """Return the name of a unit in OME-Zarr, empty if it has none.

    >>> unit_of("um", "space"), unit_of("pixel", "space"), unit_of("s", "time")
    ('micrometer', '', 'second')
    """
    name = SYMBOLS.get(name, name)
    return name if name in UNITS.get(axis_type, ()) else ""


def spacing(coordinates: Sequence[Any]) -> tuple[float, float]:
    """Return step and first value of evenly spaced numbers; (1, 0) for all else.

    >>> spacing([2.0, 4.0, 6.0]), spacing([0, 1, 3]), spacing(["A", "B"])
    ((2.0, 2.0), (1.0, 0.0), (1.0, 0.0))
    """
    if not coordinates or not all(type(value) in (int, float) for value in coordinates):
        return 1.0, 0.0
    first, last = float(coordinates[0]), float(coordinates[-1])
    step = (last - first) / (len(coordinates) - 1) if len(coordinates) > 1 else 1.0
    even = all(abs(first + n * step - at) <= step * 1e-6 for n, at in enumerate(coordinates))
    return (step, first) if even and step > 0 else (1.0, 0.0)


def multiscales(
    family: ImageFamily,
    array: str,
    translate: Sequence[float],
    coordinates: Mapping[str, Sequence[Any]],
) -> dict[str, Any]:
    """Return the attributes ``ome`` of an image of one level.

    The translation is empty where items differ; coordinates are of axes made of positions.
    """
    axes, scales, translations = [], [], []
    known = family.meta.calibration
    for axis in family.axes:
        scale, translation, unit = 1.0, 0.0, ""
        if axis.names:
            scale, translation = spacing(coordinates[axis.name])
        elif not (family.colors and axis.type == "channel"):  # which has no entry
            scale = known.scale[axis.own] if known.scale else 1.0
            translation = translate[axis.own] if translate else 0.0
            unit = unit_of(known.units[axis.own], axis.type) if known.units else ""
        optional = {"type": axis.type, "unit": unit}
        axes.append({"name": axis.name, **{key: value for key, value in optional.items() if value}})
        scales.append(scale)
        translations.append(translation)
    transformations: list[dict[str, Any]] = [{"type": "scale", "scale": scales}]
    if any(translations):
        transformations.append({"type": "translation", "translation": translations})
    split = [f"{name} {value}" for name, value in family.meta.position.items()]
    if family.run != 1:
        split.append(f"run {family.run}")
    image = {
        "name": ", ".join([family.meta.name, *split]),
        "axes": axes,
        "datasets": [{"path": array, "coordinateTransformations": transformations}],
    }
    labels: dict[str, Any] = {"image-label": {}} if family.meta.kind == "labels" else {}
    return {"version": VERSION, "multiscales": [image], **labels}
