"""Batches without Dask: anything that a task may return, sent by a publisher at names or positions.

>>> import numpy as np
>>> import dask_napari as dn
>>> from dask_napari.stream import Publisher
>>> publisher = Publisher("tcp://127.0.0.1:5577", name="microscope")
>>> planes = [np.zeros((4, 4), "uint16"), np.zeros((4, 4), bool)]
>>> dn.save_batch(
...     publisher, planes, ["A01_s1.tif", "A01_s2.tif"], layer="raw", at="{well}_s{field:d}.tif"
... )
>>> len(publisher.outbox)
2
>>> done = publisher.close()
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeGuard, get_args

from dask_napari.coerce import coerce_all
from dask_napari.model import (
    Calibration,
    Item,
    Kind,
    Policy,
    Position,
    Provenance,
    Refusal,
    arguments,
    plain_position,
)
from dask_napari.placement import Matcher, name_reader, position
from dask_napari.stream.send import Publisher


def save_batch(
    publisher: Publisher,
    values: Iterable[object],
    places: Iterable[str | os.PathLike[str] | Position],
    *,
    layer: str,
    kind: Kind = "image",
    at: str | Matcher | None = None,
    calibration: Calibration | None = None,
    rgb: bool | None = None,
    policy: Policy = "latest",
) -> None:
    """Queue several values of one layer, each at its place: all of them, or none.

    Never blocks. Values are held, not copied, where nothing has to be converted: do not write to
    them until they are sent.

    Parameters
    ----------
    publisher : Publisher
        Sender of the values.
    values : iterable
        Anything that a task may return: arrays, tables, ROIs, layer-data tuples.
    places : iterable of str, path or Position
        One a value: its position, or a name from which ``at`` reads it.
    layer : str
        The layer.
    kind : Kind
        Type of the layer, unless a value names its own.
    at : str, Pattern or Convention, optional
        Pattern or convention of the names.
    calibration : Calibration, optional
        Pixel sizes; they win over those of the values.
    rgb : bool, optional
        Whether the last axis is colour; guessed if not given.
    policy : {"latest", "drop-oldest", "keep"}
        Treatment of the values for which there is no room.

    Raises
    ------
    ValueError, TypeError
        If there are not as many places as values, or a place cannot be used.
    Refusal
        If a value cannot be shown. Nothing is queued then, either.

    Examples
    --------
    >>> import numpy as np
    >>> with Publisher("tcp://127.0.0.1:5577", name="me") as publisher:
    ...     cells = {"y": [1.5, 2.0], "x": [3.0, 4.0], "area": [7, 9]}
    ...     save_batch(publisher, [cells], [{"well": "A01"}], layer="cells", kind="points")
    ...     len(publisher.outbox)
    1
    """
    arguments.one_of("policy", policy, get_args(Policy))
    arguments.layer_name(layer)
    values, places = list(values), list(places)
    if len(values) != len(places):
        raise ValueError(
            f"{len(values)} values and {len(places)} places for layer {layer!r}; give one name or"
            " position for each value"
        )
    reader = None if at is None else name_reader(at)
    items: list[Item] = []
    for number, (value, place) in enumerate(zip(values, places, strict=True)):
        found = coerce_all(
            value,
            kind=kind,
            layer=layer,
            position=_position(place, reader),
            provenance=Provenance(os.fspath(place) if _is_name(place) else ""),
            calibration=calibration,
            rgb=rgb,
            on_note=publisher.reports.note,
        )
        for item in found:
            if isinstance(item, Refusal):
                raise Refusal(item.reason, f"value {number}: {item.detail}", layer=layer)
            items.append(item)
    for item in items:
        publisher.put(item, policy)


def _is_name(place: object) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(place, str | os.PathLike)


def _position(place: object, reader: Matcher | None) -> Position:
    if not _is_name(place):
        return plain_position(place)
    if reader is None:
        raise ValueError(
            f"{os.fspath(place)!r} is a name, and at= does not say how to read it; give a pattern"
            " such as '{well}_s{field:d}.tif', or a convention"
        )
    return position(place, reader)
