"""Tracks: rows of track, time and coordinates, and the graph of their parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from dask_napari.coerce._column_roles import check_named, role_column, words_of
from dask_napari.coerce._coordinate_columns import (
    axis_columns,
    axis_names,
    note_unused,
    numbers_in,
    take,
)
from dask_napari.coerce._features import as_column, column
from dask_napari.coerce._host_arrays import coordinates, is_array
from dask_napari.coerce._layer_arrays import CoercionContext, LayerArrays
from dask_napari.coerce._output_kind import OutputKind, are_rows
from dask_napari.coerce._points import element_rows, made_of_rows
from dask_napari.coerce._tables import Table, column_list, holds_table, is_frame, table_of, unused
from dask_napari.model import FARTHEST, AnyArray, Conversion, Refusal


def tracks(value: object, context: CoercionContext) -> list[LayerArrays]:
    """Make tracks of rows of track, time, (z), y and x; they are sorted by track and time.

    The rows are an array, or a table with columns such as ``track_id``, ``frame``, ``y`` and
    ``x``; a tuple adds features, a graph (child -> parents) or both.
    """
    value, features, graph = _fields(value, context.meta.get("graph"))
    table: Table = {}
    axes: tuple[str, ...] = ()
    if holds_table(value):
        data, axes, table = _from_table(table_of(value) or {}, context)
        graph = _parents(data, table, context.columns) if graph is None else graph
    elif is_array(value) or isinstance(value, list | tuple):
        data = element_rows(value, "tracks").astype(np.float64, copy=False)
        if data.ndim == 1 and len(data) in (4, 5):
            data = data[np.newaxis]
        if not data.size:
            data = np.empty((0, 5 if data.shape[-1:] == (5,) else 4))
    else:
        raise Refusal(
            "not tracks",
            f"a {type(value).__name__} cannot be shown as tracks; return an array of columns track,"
            " time, (z), y, x or a data frame with columns track_id, frame, y, x",
        )
    _check(data)
    if features is not None:
        table = {**table, **(table_of(features) or {})}
    made = made_of_rows("tracks", data, axes, context, table, _in_tracks(data, context))
    made.spatial_ndim, made.time_first = data.shape[1] - 1, True
    order = np.lexsort((made.data[:, 1], made.data[:, 0]))
    made.data = made.data[order]
    made.arrays = {name: array[order] for name, array in made.arrays.items()}
    edges = _edges(graph, made.data, context)
    if len(edges):
        made.arrays["graph"] = edges
    return [made]


def _are_several(values: Sequence[Any]) -> bool:
    return isinstance(values, list) and are_rows(values)


TRACKS: Final = OutputKind(tracks, are_several=_are_several, is_features=lambda value: False)


_SPLITS: Final = ("child_track_id", "parent_track_id")
"""Columns of a frame that is a graph of tracks."""


def _fields(value: Any, graph: Any) -> tuple[Any, Any, Any]:
    """Return data, features and graph of the tuple that trackers return."""
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return value, None, graph
    data, *others = value
    if not all(entry is None or isinstance(entry, Mapping) or is_frame(entry) for entry in others):
        return value, None, graph
    features = None
    splits: dict[Any, list[Any]] = {}
    for entry in others:
        table = table_of(entry) if is_frame(entry) else None
        if table is not None and table.keys() <= {*_SPLITS}:
            # LapTrack returns a frame of tracks, one of splits and one of merges, perhaps empty.
            for child, parent in zip(*(table.get(name, ()) for name in _SPLITS), strict=True):
                splits.setdefault(child, []).append(parent)
        elif isinstance(entry, Mapping) and all(_is_integer(key) for key in entry):
            graph = entry or graph
        elif entry is not None:
            features = entry
    return data, features, splits or graph


def _is_integer(key: object) -> bool:
    return isinstance(key, int | np.integer) and not isinstance(key, bool)


def _from_table(table: Table, context: CoercionContext) -> tuple[AnyArray, tuple[str, ...], Table]:
    named = context.columns
    check_named(table, named)
    columns = axis_columns(table, named=named)
    time = columns.pop("t", None)
    track = role_column(table, "track", named)
    if track is not None and "track" not in named and words_of(track) == ("id",):
        track = None if _never_repeats(table[track]) else track  # numbers of rows
    if track is None or time is None or not columns:
        raise Refusal(
            "no coordinates",
            "a table of tracks needs columns track_id, frame (or t), y and x; this one has"
            f" {column_list(table)}; ids that never repeat are no tracks; or say"
            " columns={'track': ..., 't': ..., 'y': ..., 'x': ...} of the tap",
        )
    table = _with_numbers(table, track, time, named)
    data, others = take(table, [track, time, *columns.values()], "tracks")
    note_unused(others, {"track": track, "t": time, **columns}, context.note)
    axes = axis_names(columns)
    return data.astype(np.float64, copy=False), ("t", *axes) if axes else (), others


def _never_repeats(values: Any) -> bool:
    found = column(as_column("id", values, "tracks"))
    return len(found) > 2 and len(np.unique(found)) == len(found)


def _check(data: AnyArray) -> None:
    if data.ndim != 2 or data.shape[1] not in (4, 5):
        raise Refusal(
            "dimensions",
            "tracks need an array of shape (n, 4) or (n, 5): track, time, (z), y, x; this one has"
            f" shape {data.shape}",
        )


_NO_TRACK: Final = frozenset({"", "none", "nan", "na", "n/a", "null"})
"""Texts in a column of tracks, in lower case, for rows that are in none."""


def _with_numbers(table: Table, track: str, time: str, named: Mapping[str, str]) -> Table:
    """Return a table with numbers for the names of tracks, which become a feature."""
    texts = column(as_column(track, table[track], "tracks"))
    if texts.dtype.kind != "U" or not len(texts):
        return table
    # A row without a time is none: some files have lines of text below their header.
    times = numbers_in(as_column(time, table[time], "tracks"))
    timed = np.isfinite(times) if times.dtype.kind in "iuf" else np.ones(len(times), np.bool_)
    if timed.shape != texts.shape:
        return table  # refused for it
    names = [
        name.strip() if at and name.strip().lower() not in _NO_TRACK else None
        for name, at in zip(texts.tolist(), timed, strict=True)
    ]
    try:
        numbers = {name: float(name) for name in names if name is not None}
        found = dict(table)
    except ValueError:
        numbers = {}
        for name in filter(None, names):
            numbers.setdefault(name, float(len(numbers)))
        found = {**table, unused("track name", table): texts}
    for each in filter(None, (track, role_column(table, "parent", named))):
        given = column(as_column(each, table[each], "tracks"))
        if given.dtype.kind == "U":
            found[each] = np.array([numbers.get(name.strip(), np.nan) for name in given.tolist()])
    return found


_INDICES: Final = (
    (
        "track numbers",
        "numbers of tracks must be whole, from 0 to 2**31; rows outside of tracks are left out",
    ),
    (
        "track times",
        "times of tracks must be whole numbers from 0 to 2**31, as the index of a frame is; give"
        " a column 'frame'",
    ),
)
"""Columns of indices: reason and text where they hold something else."""


def _in_tracks(data: AnyArray, context: CoercionContext) -> AnyArray:
    """Return which rows belong to a track; trackers mark others by -1, and some by NaN."""
    usable = np.ones(len(data), np.bool_)
    for index, (reason, text) in enumerate(_INDICES):
        values = data[:, index]
        given = np.isfinite(values) & usable
        right = (values == np.floor(values)) & (values >= 0) & (values <= FARTHEST)
        wrong = given & ~right
        # Many rows may lie outside of tracks; but if half of the times are fractions, they are
        # seconds and not frames.
        few = (given & right).sum() <= (wrong.sum() if index else 0)
        if wrong.any() and few:
            raise Refusal(reason, text)
        context.leave_out("rows of tracks", int(wrong.sum()), len(data), reason, text)
        usable &= ~wrong
    return usable


def _parents(data: AnyArray, table: Table, named: Mapping[str, str]) -> dict[int, Any] | None:
    """Return the graph that a column of parents makes, None without such a column."""
    name = role_column(table, "parent", named)
    if name is None:
        return None
    try:
        parents = coordinates(column(as_column(name, table[name], "tracks")), name, 1)
    except Refusal:
        return None
    if len(parents) != len(data):
        return None  # it is refused as a feature
    finite = np.isfinite(parents) & np.isfinite(data[:, 0])
    track_ids = set(data[:, 0].tolist())
    pairs = set(zip(data[finite, 0].tolist(), parents[finite].tolist(), strict=True))
    graph: dict[int, list[int]] = {}
    for child, parent in sorted(pairs):
        if parent != child and parent in track_ids:  # roots are their own parent, or 0, or -1
            graph.setdefault(int(child), []).append(int(parent))
    return graph


def _edges(graph: Any, data: AnyArray, context: CoercionContext) -> AnyArray:
    """Return the edges of a graph as rows of child and parent."""
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
            numbers = np.atleast_1d(np.asarray(parents, np.float64)).ravel()
            edges += [(int(child), int(parent)) for parent in numbers]
    except (TypeError, ValueError, OverflowError) as error:
        raise Refusal(
            "graph", f"a graph of tracks maps numbers of tracks to such numbers: {error}"
        ) from error
    track_ids = set(np.unique(data[:, 0]).tolist())
    complete = [edge for edge in edges if track_ids.issuperset(edge)]
    if len(complete) < len(edges):
        context.note(Conversion.GRAPH)
    return np.array(complete, np.int64).reshape(-1, 2)
