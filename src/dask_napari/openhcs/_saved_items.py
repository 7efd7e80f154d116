"""Items of the images that a pipeline saves: planes, colours, and places in the source image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dask_napari.coerce import coerce_all
from dask_napari.model import AnyArray, Calibration, Coordinate, Item, Kind, Provenance, Refusal
from dask_napari.openhcs._component_axes import coordinate

_UNITS: Final[Mapping[str, str]] = {"micrometers": "micrometer", "micrometer": "micrometer"}
"""Units of theirs; others are relations between the axes, without a unit."""


@dataclass(frozen=True, slots=True)
class SavedFields:
    """Fields that hold for all items of a call, as OpenHCS declares them.

    ``planes`` is the component whose values the planes of an image have, with the values.
    """

    planes: tuple[str, tuple[Coordinate, ...]] | None = None
    origin: tuple[int, int] | None = None
    shape: tuple[int, int] | None = None
    channel_axis: int | None = None
    declared: bool = False
    spacing: tuple[float, ...] = ()
    unit: str = ""

    def calibration(self, ndim: int) -> Calibration:
        """Return the pixel sizes of so many axes."""
        scale = self.spacing[-ndim:]
        if len(scale) < ndim:
            return Calibration()
        return Calibration(scale=scale, units=(self.unit,) * ndim if self.unit else ())


def saved_fields(fields: Mapping[str, Any]) -> SavedFields:
    """Read the fields that hold for all items of a call.

    Raises ValueError if the planes are those of several components.
    """
    metadata = fields.get("image_metadata") or {}
    domain = metadata.get("source_spatial_domain") or {}
    spacing = metadata.get("source_voxel_spacing") or {}
    planes = dict(fields.get("plane_component_values") or {})
    if len(planes) > 1:
        raise ValueError(f"one axis has the planes of several components: {', '.join(planes)}")
    channel_axis = fields.get("source_channel_axis", metadata.get("source_channel_axis"))
    return SavedFields(
        next(((name, tuple(map(coordinate, values))) for name, values in planes.items()), None),
        _pair(fields.get("spatial_origin_yx") or domain.get("origin_yx")),
        _pair(fields.get("source_spatial_shape_yx") or domain.get("source_shape_yx")),
        None if channel_axis is None else int(channel_axis),
        bool(metadata),
        tuple(map(float, spacing.get("values_zyx") or ())),
        _UNITS.get(str(spacing.get("unit", "")).lower(), ""),
    )


def image_items(
    value: object,
    layer: str,
    position: Mapping[str, Coordinate],
    key: str,
    fields: SavedFields,
) -> Iterator[Item]:
    """Yield the items of an image: one, or one a plane. Raises :class:`Refusal`."""
    data = own_array(value)
    rgb: bool | None = False if fields.declared else None
    if fields.channel_axis is not None:
        data = np.moveaxis(data, fields.channel_axis, -1)
        rgb = data.shape[-1] in (3, 4)
        if not rgb:
            raise Refusal(
                "colours", f"an image with {data.shape[-1]} colours, in axis {fields.channel_axis}"
            )
    for plane, where in planes_of(data, position, fields):
        for item in made_items(
            plane, "image", layer, where, key, fields.calibration(plane.ndim - bool(rgb)), rgb
        ):
            _place_in_source(item, fields)
            yield item


def planes_of(
    data: AnyArray, position: Mapping[str, Coordinate], fields: SavedFields
) -> Iterator[tuple[AnyArray, Mapping[str, Coordinate]]]:
    """Yield the planes of an image with their positions."""
    if fields.planes is None:
        yield data, position
        return
    component, values = fields.planes
    if data.ndim == 2:
        data = data[np.newaxis]
    if data.shape[0] != len(values):
        raise Refusal(
            "planes",
            f"an image of {data.shape[0]} planes, and {len(values)} values of {component!r}",
        )
    for plane, value in zip(data, values, strict=True):
        yield plane, {**position, component: value}


def made_items(
    value: object,
    kind: Kind,
    layer: str,
    position: Mapping[str, Coordinate],
    key: str,
    calibration: Calibration,
    rgb: bool | None = None,
) -> list[Item]:
    """Return the items of one value. Raises :class:`Refusal`."""
    found = coerce_all(
        value,
        kind=kind,
        layer=layer,
        position=position,
        provenance=Provenance(key),
        calibration=calibration,
        rgb=rgb,
    )
    for item in found:
        if isinstance(item, Refusal):
            raise item
    return [item for item in found if isinstance(item, Item)]


def own_array(value: Any) -> AnyArray:
    """Return a copy of an image, which the pipeline may go on writing to."""
    if callable(inner := getattr(value, "array_payload_data", None)):
        value = inner()
    if callable(cpu := getattr(value, "cpu", None)):  # of torch
        value = cpu()
    elif not isinstance(value, np.ndarray) and callable(get := getattr(value, "get", None)):
        value = get()  # of CuPy
    return np.array(value, copy=True, order="C")


def _place_in_source(item: Item, fields: SavedFields) -> None:
    """Place a part of a source image where it lies there."""
    if fields.origin is None and fields.shape is None:
        return
    size = item.data.shape[: item.data.ndim - item.rgb]
    lead, (height, width) = size[:-2], size[-2:]
    y, x = fields.origin or (0, 0)
    rows, columns = fields.shape or (y + height, x + width)
    if (y, x, rows, columns) == (0, 0, height, width):
        return
    if min(y, x) < 0 or y + height > rows or x + width > columns:
        raise Refusal(
            "place in the source",
            f"an image of {height} x {width} at {y}, {x} is not within its source image of "
            f"{rows} x {columns}",
        )
    item.amend(origin=(*(0,) * len(lead), y, x), array_shape=(*lead, rows, columns))


def _pair(value: Sequence[Any] | None) -> tuple[int, int] | None:
    return None if value is None else (int(value[0]), int(value[1]))
