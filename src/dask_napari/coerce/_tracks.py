"""Tracks: rows of track, time and coordinates, and which track came from which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from dask_napari.coerce import _coordinate_columns
from dask_napari.coerce._coerced import Coerced, Hints
from dask_napari.coerce._features import as_column, column
from dask_napari.coerce._host_arrays import coordinates, is_array
from dask_napari.coerce._points import rows_made
from dask_napari.coerce._tables import Table, is_frame, table_of
from dask_napari.model import FARTHEST, AnyArray, Refusal

_ID: Final = ("track_id", "trackid", "track", "particle", "id", "track id")
_TIME: Final = ("frame", "t", "time", "position_t", "timepoint", "frame_y")
_PARENT: Final = ("parent_track_id", "parent_id", "parent", "parent_track")


def tracks(value: object, hints: Hints) -> list[Coerced]:
    """Make tracks, in the order of track and time.

    Examples
    --------
    >>> table = {"track_id": [1, 1], "frame": [0, 1], "y": [5, 6], "x": [7, 8]}
    >>> tracks(table, Hints())[0].data.tolist()
    [[1.0, 0.0, 5.0, 7.0], [1.0, 1.0, 6.0, 8.0]]
    """
    value, beside, graph = _apart(value, hints.given.get("graph"))
    table: Table | None = None
    axes: tuple[str, ...] = ()
    if is_frame(value) or isinstance(value, Mapping):
        data, axes, table = _from_table(table_of(value) or {})
        graph = _parents(data, table) if graph is None else graph
    elif is_array(value) or isinstance(value, list | tuple):
        data = coordinates(value, "tracks").astype(np.float64, copy=False)
        if not data.size:
            data = np.empty((0, 5 if data.shape[-1:] == (5,) else 4))
    else:
        raise Refusal(
            "not tracks",
            f"a {type(value).__name__} is no tracks; return an array of columns track, time, (z),"
            " y, x or a data frame with columns track_id, frame, y, x",
        )
    _check(data)
    if beside is not None:
        table = {**(table or {}), **(table_of(beside) or {})}
    made = rows_made("tracks", data, axes, hints, table)
    order = np.lexsort((made.data[:, 1], made.data[:, 0]))
    made.data = made.data[order]
    made.arrays = {name: array[order] for name, array in made.arrays.items()}
    edges = _edges(graph, made.data, hints)
    if len(edges):
        made.arrays["graph"] = edges
    return [made]


def _apart(value: Any, graph: Any) -> tuple[Any, Any, Any]:
    """Take a tuple of data, features and graph apart, as trackers return it."""
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return value, None, graph
    data, *rest = value
    if not all(entry is None or isinstance(entry, Mapping) or is_frame(entry) for entry in rest):
        return value, None, graph
    beside = None
    for entry in rest:
        if isinstance(entry, Mapping) and all(_is_whole(key) for key in entry):
            graph = entry or graph
        else:
            beside = entry if entry is not None else beside
    return data, beside, graph


def _is_whole(key: object) -> bool:
    return isinstance(key, int | np.integer) and not isinstance(key, bool)


def _from_table(table: Table) -> tuple[AnyArray, tuple[str, ...], Table]:
    track, time = _coordinate_columns.find(table, _ID), _coordinate_columns.find(table, _TIME)
    places = _coordinate_columns.axis_columns(table, frozenset("t"))
    if track is None or time is None or not places:
        raise Refusal(
            "no coordinates",
            f"a table of tracks needs columns track_id, frame (or t), y and x; this one has"
            f" {', '.join(map(repr, list(table)[:8]))}",
        )
    names = [track, time, *places.values()]
    axes = _coordinate_columns.axes_of(places)
    data = _coordinate_columns.stack(table, names, "tracks").astype(np.float64, copy=False)
    return data, ("t", *axes) if axes else (), _coordinate_columns.without(table, names)


def _check(data: AnyArray) -> None:
    if data.ndim != 2 or data.shape[1] not in (4, 5):
        raise Refusal(
            "dimensions",
            "tracks need an array of shape (n, 4) or (n, 5): track, time, (z), y, x; this one has"
            f" shape {data.shape}",
        )
    ids, times = data[:, 0], data[:, 1]
    ids = ids[np.isfinite(ids)]
    if (ids != np.floor(ids)).any() or (ids < 0).any() or (ids > FARTHEST).any():
        raise Refusal("track numbers", "numbers of tracks must be whole, from 0 to 2**31")
    times = times[np.isfinite(times)]
    if (times != np.floor(times)).any() or (times < 0).any() or (times > FARTHEST).any():
        raise Refusal(
            "track times",
            "times of tracks must be whole numbers from 0 to 2**31, as the index of a frame is;"
            " give a column 'frame'",
        )


def _parents(data: AnyArray, table: Table) -> dict[int, Any] | None:
    """Return the graph that a column of parents makes, None without such a column."""
    name = _coordinate_columns.find(table, _PARENT)
    if name is None:
        return None
    try:
        parents = coordinates(column(as_column(name, table[name], "tracks")), name, 1)
    except Refusal:
        return None
    if len(parents) != len(data):
        return None  # it is refused as a feature
    there = np.isfinite(parents) & np.isfinite(data[:, 0])
    known = set(data[:, 0].tolist())
    pairs = set(zip(data[there, 0].tolist(), parents[there].tolist(), strict=True))
    graph: dict[int, list[int]] = {}
    for child, parent in sorted(pairs):
        if parent != child and parent in known:  # roots are their own parent, or 0, or -1
            graph.setdefault(int(child), []).append(int(parent))
    return graph


def _edges(graph: Any, data: AnyArray, hints: Hints) -> AnyArray:
    if graph is None:
        return np.empty((0, 2), np.int64)
    if not isinstance(graph, Mapping):
        raise Refusal(
            "graph",
            f"a graph of tracks is a dict of child -> parents, not a {type(graph).__name__}",
        )
    edges = []
    try:
        for child, parents in graph.items():
            many = np.atleast_1d(np.asarray(parents, np.float64)).ravel()
            edges += [(int(child), int(parent)) for parent in many]
    except (TypeError, ValueError, OverflowError) as error:
        raise Refusal("graph", f"a graph of tracks holds no numbers: {error}") from error
    known = set(np.unique(data[:, 0]).tolist())
    there = [edge for edge in edges if known.issuperset(edge)]
    if len(there) < len(edges):
        hints.note("parents and children that have no track are left out")
    return np.array(there, np.int64).reshape(-1, 2)
