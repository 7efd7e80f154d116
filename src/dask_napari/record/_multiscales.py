"""Attributes ``ome`` of images, by OME-Zarr 0.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dask_napari.record._image_family import ImageFamily

VERSION: Final = "0.5"

KEY: Final = "dask-napari"
"""Key of our own attributes, beside ``ome``."""

_PREFIXES: Final = (
    *("yocto", "zepto", "atto", "femto", "pico", "nano", "micro", "milli", "centi", "deci"),
    *("hecto", "kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta"),
)
UNITS: Final = {
    "space": {"meter", *(f"{prefix}meter" for prefix in _PREFIXES)}
    | {"angstrom", "foot", "inch", "mile", "parsec", "yard"},
    "time": {"second", *(f"{prefix}second" for prefix in _PREFIXES)} | {"day", "hour", "minute"},
}
"""Units that OME-Zarr names."""

SYMBOLS: Final = {
    **dict.fromkeys(("um", "µm", "μm", "micron"), "micrometer"),
    **{"nm": "nanometer", "mm": "millimeter", "cm": "centimeter", "m": "meter"},
    **{"s": "second", "ms": "millisecond", "min": "minute", "h": "hour"},
}


def unit_of(name: str, axis_type: str) -> str:
    """Return the name of a unit in OME-Zarr, empty if it has none.

    Examples
    --------
    >>> unit_of("um", "space"), unit_of("pixel", "space"), unit_of("s", "time")
    ('micrometer', '', 'second')
    """
    name = SYMBOLS.get(name, name)
    return name if name in UNITS.get(axis_type, ()) else ""


def spacing(coordinates: Sequence[Any]) -> tuple[float, float]:
    """Return step and first value of evenly spaced numbers; (1, 0) for all else.

    Examples
    --------
    >>> spacing([2.0, 4.0, 6.0]), spacing([0, 1, 3]), spacing(["A", "B"])
    ((2.0, 2.0), (1.0, 0.0), (1.0, 0.0))
    """
    if not coordinates or not all(type(value) in (int, float) for value in coordinates):
        return 1.0, 0.0
    first = float(coordinates[0])
    if len(coordinates) == 1:
        return 1.0, first
    step = (float(coordinates[-1]) - first) / (len(coordinates) - 1)
    even = all(abs(first + n * step - at) <= step * 1e-6 for n, at in enumerate(coordinates))
    return (step, first) if even and step > 0 else (1.0, 0.0)


def multiscales(
    family: ImageFamily,
    array: str,
    translate: Sequence[float],
    coordinates: Mapping[str, Sequence[Any]],
) -> dict[str, Any]:
    """Return the attributes ``ome`` of an image of one level.

    The translation is empty where it differs from item to item; ``coordinates`` are those along
    the axes that are made of positions.
    """
    axes, scales, translations = [], [], []
    known = family.calibration
    for axis in family.axes:
        scale, translation, unit = 1.0, 0.0, ""
        if axis.own < 0:
            scale, translation = spacing(coordinates[axis.name])
        elif axis.own < len(known.axes or known.scale or known.units or translate):
            # All but the colour axis, which has no entry.
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
    image = {
        "name": ", ".join([family.part or family.layer, *(f"{k} {v}" for k, v in family.split)]),
        "axes": axes,
        "datasets": [{"path": array, "coordinateTransformations": transformations}],
    }
    labels: dict[str, Any] = {"image-label": {}} if family.kind == "labels" else {}
    return {"version": VERSION, "multiscales": [image], **labels}
