"""The sentence about what is at the pointer: its place, its value, and the task that made it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np

from dask_napari.catalog import CatalogueEntry
from dask_napari.model import (
    ARRIVAL_AXIS,
    Coordinate,
    ItemMeta,
    LayerSpec,
    TaskStatus,
    duration_text,
)

KEY_LENGTH: Final = 48
"""Characters of a key in the status bar, whose beginning and end tell most."""

ERROR_LENGTH: Final = 100
"""Characters of an error in the status bar; the dock has all of it."""

STATE_WORDS: Final = {"expected": "waiting", "computed": "on its way"}
"""Words for states whose names say less to people."""

NUMBERED: Final = {"labels": "label", "points": "point", "shapes": "shape", "tracks": "track"}
"""What the value of a layer is a number of, by its kind."""


def place_text(
    meta: ItemMeta, layer_axes: Collection[str] = (), spec: LayerSpec | None = None
) -> str:
    """Return where an item belongs, for people.

    Axes in ``layer_axes`` have one layer a value, and the value alone is named.

    >>> meta = ItemMeta("raw", "image", {"well": "C05", "field": 2, "channel": "DAPI"})
    >>> place_text(meta, ["channel"])
    'well C05 · field 2 · DAPI'
    """
    layouts = {} if spec is None else spec.layouts
    parts = []
    for axis, at in meta.at.items():
        if axis == ARRIVAL_AXIS and at == meta.provenance.key:
            continue
        names = layouts[axis].names if axis in layouts else {}
        name = names.get(str(at), coordinate_text(at))
        parts.append(name if axis in layer_axes else f"{axis} {name}")
    if meta.origin and meta.array_shape:
        parts.append(f"chunk at {', '.join(map(str, meta.origin))}")
    return " · ".join(parts)


def coordinate_text(at: Coordinate) -> str:
    """Return a coordinate as people write it.

    >>> coordinate_text("C05"), coordinate_text(2), coordinate_text(0.30000000000000004)
    ('C05', '2', '0.3')
    """
    return f"{at:.6g}" if isinstance(at, float) else str(at)


def value_text(kind: str, value: Any) -> str:
    """Return what napari says is at the pointer, for people; empty for nothing.

    Of a pyramid that is a level and a value, of shapes a number and that of a vertex.

    >>> value_text("image", np.uint16(1234)), value_text("labels", (2, 7)), value_text("points", 3)
    ('1234', 'label 7', 'point 3')
    >>> value_text("image", np.array([1, 2, 3], "uint8")), value_text("shapes", (None, None))
    ('1, 2, 3', '')
    """
    if isinstance(value, tuple):
        value = value[0] if kind in ("shapes", "surface") else value[1]
    if value is None:
        return ""
    if np.ndim(value):
        return ", ".join(value_text(kind, each) for each in np.ravel(value))
    word = NUMBERED.get(kind)
    if word is not None:
        return f"{word} {value}"
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def state_text(entry: CatalogueEntry, status: TaskStatus | None = None) -> str:
    """Return the state of an entry, or the later one of its task, with the reason if it has one."""
    state: str = entry.state if status is None else status.state
    reason = entry.reason if status is None else status.error.partition("\n")[0]
    word = STATE_WORDS.get(state, state)
    return f"{word}: {shortened(reason, ERROR_LENGTH)}" if reason else word


def worker_text(address: str) -> str:
    """Return the short name of a worker.

    >>> worker_text("tcp://10.0.0.1:34567"), worker_text("gpu-3")
    ('10.0.0.1:34567', 'gpu-3')
    """
    return address.partition("://")[2] or address


def shortened(text: str, length: int = KEY_LENGTH) -> str:
    """Return the beginning and the end of a text that is too long.

    >>> shortened("segment-0123456789", 12)
    'segment…6789'
    """
    if len(text) <= length:
        return text
    end = length // 3
    return f"{text[: length - end - 1]}…{text[-end:]}"


def task_text(entry: CatalogueEntry, *, tells_run: bool) -> str:
    """Return the task of an entry: key, worker, duration, and the run if there are several."""
    task = entry.meta.provenance
    parts = [shortened(task.key), worker_text(task.worker)]
    if task.stop > task.start > 0:
        parts.append(duration_text(task.stop - task.start))
    if tells_run:
        parts.append(f"run {entry.run}")
    return " · ".join(part for part in parts if part)


def sentence(
    entry: CatalogueEntry,
    value: str = "",
    layer_axes: Collection[str] = (),
    spec: LayerSpec | None = None,
    status: TaskStatus | None = None,
    *,
    tells_run: bool = False,
) -> str:
    """Return all in one line; what is waited for or has failed says that in place of a value.

    ``status`` is what became of the task since, if anything.

    >>> meta = ItemMeta("raw", "image", {"well": "C05"})
    >>> entry = CatalogueEntry(meta, None, 1, "dropped", "size")
    >>> sentence(entry)
    'well C05 | dropped: size'
    """
    state = "" if entry.item is not None and status is None else state_text(entry, status)
    value = value if entry.item is not None else ""
    parts = (place_text(entry.meta, layer_axes, spec), value, state)
    task = task_text(entry, tells_run=tells_run)
    return " | ".join(part for part in (*parts, task) if part)
