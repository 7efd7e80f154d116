"""Selectors: what a tap chooses outputs by, reduced to names, keys, types and predicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dask_napari.model import Kind
from dask_napari.placement import ChunkGrid, dask_arrays, is_dataset

Select = Any
"""A task name, exact keys, futures or a collection, an output type, or a predicate."""

Selector = str | frozenset[Any] | type | Callable[[Any], bool] | ChunkGrid
"""A name, exact keys, an output type, a predicate on the key, or the chunks of an array."""


def selector_of(
    select: Select, kind: Kind, rgb: bool | None, dims: Sequence[str]
) -> tuple[Selector, str]:
    """Return the selector that stands for ``select``, and a name for its layer.

    A selector holds neither a graph nor futures, which would keep results in the cluster's memory.
    """
    if isinstance(select, ChunkGrid):
        return select, dask_arrays.TOKEN.sub("", select.name)
    if is_dataset(select):
        raise TypeError("a Dataset has several layers: use live.tap, or one Tap a variable")
    if dask_arrays.is_array(select):
        grid = dask_arrays.chunks_of(select, kind=kind, rgb=rgb, dims=dims)
        return grid, dask_arrays.title_of(select)
    if dims:
        raise ValueError(f"dims={dims} name the axes of a dask array; select= holds another thing")
    selector = _selector(select)
    return selector, selector if isinstance(selector, str) else "dask"


def _selector(select: Any) -> Selector:
    if isinstance(select, str):
        if not select:
            raise ValueError("select='' names no task; give the name that the dashboard shows")
        return select
    if isinstance(select, list | set | frozenset):
        keys = frozenset(key for entry in select for key in _keys(entry))
        if not keys:
            raise ValueError("select= is empty; give at least one key or future")
        return keys
    if isinstance(select, type):
        return select
    if _holds_keys(select):
        return frozenset(_keys(select))
    if callable(select):
        return select  # type: ignore[no-any-return]
    raise TypeError(
        f"select={select!r} cannot be used; give a task name, a key, futures, a type or a function"
        " of the key"
    )


def _holds_keys(value: Any) -> bool:
    return (
        hasattr(value, "__dask_keys__")
        or _is_future(value)
        or (isinstance(value, str | bytes | int | float | tuple) and not isinstance(value, bool))
    )


def _is_future(value: Any) -> bool:
    return hasattr(value, "key") and hasattr(value, "status")


def _keys(entry: Any) -> list[Any]:
    if not _holds_keys(entry):
        raise TypeError(f"select= holds {entry!r}; give keys or futures")
    if hasattr(entry, "__dask_keys__"):
        return _flat(entry.__dask_keys__())
    return [entry.key if _is_future(entry) else entry]


def _flat(keys: Any) -> list[Any]:
    return [key for entry in keys for key in _flat(entry)] if isinstance(keys, list) else [keys]
