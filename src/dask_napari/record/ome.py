"""The metadata of OME-Zarr 0.5, from plans and calibrations."""

from __future__ import annotations

from typing import Any, Final

from dask_napari.model import Calibration, Kind
from dask_napari.record._axis_plan import Plan
from dask_napari.record._indices import spacing

VERSION: Final = "0.5"

KEY: Final = "dask-napari"
"""Of our own attributes."""

_PREFIXES: Final = (
    *("", "yocto", "zepto", "atto", "femto", "pico", "nano", "micro", "milli", "centi", "deci"),
    *("hecto", "kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta"),
)
UNITS: Final = {
    "space": {f"{prefix}meter" for prefix in _PREFIXES}
    | {"angstrom", "foot", "inch", "mile", "parsec", "yard"},
    "time": {f"{prefix}second" for prefix in _PREFIXES} | {"day", "hour", "minute"},
}
"""Those that OME-Zarr names."""

SHORT: Final = {
    "um": "micrometer",
    "µm": "micrometer",
    "μm": "micrometer",
    "micron": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "s": "second",
    "ms": "millisecond",
    "min": "minute",
    "h": "hour",
}


def unit_of(name: str, kind: str) -> str:
    """The name of a unit in OME-Zarr, empty if it has none.

    Examples
    --------
    >>> unit_of("um", "space"), unit_of("pixel", "space"), unit_of("s", "time")
    ('micrometer', '', 'second')
    """
    name = SHORT.get(name, name)
    return name if name in UNITS.get(kind, ()) else ""


def multiscales(
    name: str,
    path: str,
    kind: Kind,
    plan: Plan,
    calibration: Calibration,
    coordinates: dict[str, list[Any]],
) -> dict[str, Any]:
    """Attributes ``ome`` of an image of one level.

    Parameters
    ----------
    name : str
        Of the layer.
    path : str
        Of the array in its group.
    kind : {"image", "labels"}
        Labels say that they are some.
    plan : Plan
        Its axes.
    calibration : Calibration
        Of the data; without a translation if that differs from item to item.
    coordinates : dict of str to list
        Coordinates of axes that are made of positions, by their names in the plan.
    """
    axes, scale, translate = [], [], []
    for axis in plan.axes:
        described: dict[str, Any] = {"name": axis.name}
        if axis.type:
            described["type"] = axis.type
        step, first = 1.0, 0.0
        if axis.own < 0:
            step, first = spacing(coordinates.get(axis.name, [])) or (1.0, 0.0)
        else:
            known = calibration
            # A colour axis has no entry.
            step = known.scale[axis.own] if axis.own < len(known.scale) else 1.0
            first = known.translate[axis.own] if axis.own < len(known.translate) else 0.0
            unit = known.units[axis.own] if axis.own < len(known.units) else ""
            if unit := unit_of(unit, axis.type):
                described["unit"] = unit
        axes.append(described)
        scale.append(step)
        translate.append(first)
    transformations: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if any(translate):
        transformations.append({"type": "translation", "translation": translate})
    found: dict[str, Any] = {
        "version": VERSION,
        "multiscales": [
            {
                "name": name,
                "axes": axes,
                "datasets": [{"path": path, "coordinateTransformations": transformations}],
            }
        ],
    }
    if kind == "labels":
        found["image-label"] = {}
    return found


def root() -> dict[str, Any]:
    """Attributes ``ome`` of the whole record: a collection of images, listed in ``OME``."""
    return {"version": VERSION, "bioformats2raw.layout": 3}


def series(paths: list[str]) -> dict[str, Any]:
    """Attributes ``ome`` of the group ``OME``."""
    return {"version": VERSION, "series": paths}
