"""Pixel sizes in the attributes that readers of OME files give their arrays."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dask_napari.model import contain
from dask_napari.placement import Size

MAX_VALUES: Final = 300
"""Values of the attributes that are read; metadata may list every plane of a file."""

MAX_ENTRIES: Final = 64
"""Entries of one mapping that are read."""

MAX_ELEMENTS: Final = 2
"""Elements of a list that are read: the first image is the one that is shown."""

_INSIDE: Final = ("images", "pixels", "image", "Image", "Pixels")
"""Attributes of the classes of ome-types that lead to pixel sizes."""

_SIZES: Final = ("physicalsize", "pixelsize", "voxelsize")


def sizes_of(attrs: Mapping[Any, Any], dims: Sequence[str]) -> dict[str, Size]:
    """Return the pixel sizes in the attributes of an array, by axis in lower case.

    Understood are OME-NGFF (``multiscales``, also under ``ome``, or ``coordinateTransformations``
    alone) and names such as ``physical_size_x`` or ``PhysicalSizeX`` with their units, in the
    attributes or in mappings or ome-types objects in there, as under ``metadata`` or
    ``processed``.

    >>> sizes_of({"metadata": {"physical_size_x": 0.65, "physical_size_x_unit": "um"}}, "yx")
    {'x': Size(step=0.65, start=0.0, unit='um')}
    """
    try:
        return _from_ngff(attrs, dims) or _from_names(attrs)
    except Exception as error:
        contain(error, foreign=True)
        return {}  # attributes are anyone's


def _from_ngff(attrs: Mapping[Any, Any], dims: Sequence[str]) -> dict[str, Size]:
    inner = attrs.get("ome")
    for place in (attrs, inner):
        if not isinstance(place, Mapping):
            continue
        scales = place.get("multiscales")
        if isinstance(scales, list | tuple) and scales:
            scales = scales[0]
        if isinstance(scales, Mapping):
            return _from_multiscale(scales, dims)
        if "coordinateTransformations" in place:
            axes = [(dim.lower(), "") for dim in dims]
            return _sizes(axes, [place["coordinateTransformations"]])
    return {}


def _from_multiscale(scales: Mapping[Any, Any], dims: Sequence[str]) -> dict[str, Size]:
    axes = [
        (str(axis["name"]).lower(), str(axis.get("unit") or ""))
        if isinstance(axis, Mapping)
        else (str(axis).lower(), "")
        for axis in scales.get("axes") or dims
    ]
    levels = scales.get("datasets") or [{}]
    steps = [levels[0].get("coordinateTransformations"), scales.get("coordinateTransformations")]
    return _sizes(axes, [step for step in steps if step])


def _sizes(axes: list[tuple[str, str]], groups: list[Any]) -> dict[str, Size]:
    scale, start = [1.0] * len(axes), [0.0] * len(axes)
    for step in (step for group in groups for step in group):
        factors = [float(v) for v in step.get("scale", ())] or [1.0] * len(axes)
        offsets = [float(v) for v in step.get("translation", ())] or [0.0] * len(axes)
        if len(factors) != len(axes) or len(offsets) != len(axes):
            return {}
        scale = [a * b for a, b in zip(scale, factors, strict=True)]
        start = [a * b + c for a, b, c in zip(start, factors, offsets, strict=True)]
    return {
        name: Size(step, first, unit)
        for (name, unit), step, first in zip(axes, scale, start, strict=True)
        if groups and step and math.isfinite(step) and math.isfinite(first)
    }


def _from_names(attrs: Any) -> dict[str, Size]:
    for place in _places(attrs):
        found = _sizes_by_name(place)
        if found:
            return found
    return {}


def _places(attrs: Any) -> Iterator[dict[str, Any]]:
    """Yield mappings and objects in the attributes, the outer ones first, as mappings."""
    waiting = deque([attrs])
    for _ in range(MAX_VALUES):
        if not waiting:
            return
        place = waiting.popleft()
        if isinstance(place, list | tuple) and not hasattr(place, "_fields"):
            waiting.extend(place[:MAX_ELEMENTS])
            continue
        entries = _entries(place)
        if entries:
            yield entries
            inner = (value for value in entries.values() if not isinstance(value, str | bytes))
            waiting.extend(v for v in inner if not isinstance(v, int | float))


def _entries(place: Any) -> dict[str, Any]:
    """Return the entries of a mapping or object, by names in lower case without separators."""
    if isinstance(place, Mapping):
        pairs = list(place.items())[:MAX_ENTRIES]
    else:
        names = [f"physical_size_{a}{u}" for a in "xyz" for u in ("", "_unit")]
        names += ["time_increment", "time_increment_unit", "X", "Y", "Z", *_INSIDE]
        pairs = [(name, getattr(place, name)) for name in names if hasattr(place, name)]
    return {"".join(c for c in str(key).lower() if c.isalnum()): value for key, value in pairs}


def _sizes_by_name(entries: Mapping[str, Any]) -> dict[str, Size]:
    found = {}
    for axis in "xyz":
        for name in _SIZES:
            size = _number(entries.get(name + axis))
            if size is not None:
                # OME's own default; the other names have none.
                default = "micrometer" if name == "physicalsize" else ""
                found[axis] = Size(size, 0.0, _unit(entries.get(f"{name}{axis}unit"), default))
                break
    together = entries.get("pixelsizeum")
    if not found and (size := _number(together)) is not None:
        return {axis: Size(size, 0.0, "micrometer") for axis in "xy"}
    several = entries.get("physicalpixelsizes") or entries.get("pixelsizes")
    if not found and several is not None:
        each = _entries(several)
        for axis in "xyz":
            if (size := _number(each.get(axis))) is not None:
                found[axis] = Size(size, 0.0, "micrometer")
    if found and (size := _number(entries.get("timeincrement"))) is not None:
        found["t"] = Size(size, 0.0, _unit(entries.get("timeincrementunit"), "second"))
    return found


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _unit(value: Any, default: str) -> str:
    value = getattr(value, "value", value)  # an enumeration's
    return str(value) if value else default
