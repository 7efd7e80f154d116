"""What a tap selects: task names, keys, futures, collections, types and predicates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def selection(select: Any) -> str | frozenset[Any] | type | Callable[[Any], bool]:
    """Return ``select`` as a name, a set of exact keys, a type or a predicate.

    Parameters
    ----------
    select : object
        What was given; see :class:`Tap`.
    """
    if isinstance(select, str):
        if not select:
            raise ValueError("select='' names no task; give the name that the dashboard shows")
        return select
    if hasattr(select, "__dask_keys__"):
        return frozenset(_flat(select.__dask_keys__()))
    if isinstance(select, tuple | bytes | int | float) and not isinstance(select, bool):
        return frozenset([select])
    if isinstance(select, list | set | frozenset):
        keys = frozenset(key for entry in select for key in _keys(entry))
        if not keys:
            raise ValueError("select= holds no key; give at least one key or future")
        return keys
    if isinstance(select, type):
        return select
    if _is_future(select):
        return frozenset([select.key])
    if callable(select):
        return select  # type: ignore[no-any-return]
    raise TypeError(
        f"select={select!r} is neither a task name, a key, futures, a type nor a function of the"
        " key"
    )


def _is_future(value: object) -> bool:
    return hasattr(value, "key") and hasattr(value, "status")


def _keys(entry: Any) -> list[Any]:
    if hasattr(entry, "__dask_keys__"):
        return _flat(entry.__dask_keys__())
    if _is_future(entry):
        return [entry.key]
    if isinstance(entry, str | bytes | int | float | tuple):
        return [entry]
    raise TypeError(f"select= holds {entry!r}, which is neither a key nor a future")


def _flat(keys: Any) -> list[Any]:
    return [key for entry in keys for key in _flat(entry)] if isinstance(keys, list) else [keys]
