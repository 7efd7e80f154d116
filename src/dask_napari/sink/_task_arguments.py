"""Arguments of tasks: which of them a tap needs to place an output, and what those hold."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from pathlib import PosixPath, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dask_napari.model import held_by
from dask_napari.sink import dask_internals

if TYPE_CHECKING:
    from dask_napari.tap import CompiledTap

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]
"""Arguments by position and by name, with references in the place of outputs of other tasks."""

LONG_TEXT: Final = 4096
"""Characters above which text counts as memory: a path is shorter, a document longer."""

MOST_CONTENTS: Final = 100
"""Entries of a container that is looked into on the publisher's thread."""

_NAMELESS: Final = frozenset({np.ndarray, bytes, bytearray, memoryview})
"""Types of data, which hold no names; a pattern does not need them."""

_LIGHT: Final = frozenset(
    {int, float, complex, bool, types.NoneType, PosixPath, *dask_internals.REFERENCES}
)

_PLAIN: Final = frozenset({*_LIGHT, *_NAMELESS, str, slice, PurePosixPath})
"""Types that read as they are; any other may have code of its author."""


def needed_arguments(tap: CompiledTap, arguments: Arguments) -> Arguments:
    """Return those arguments from which a tap may find a place."""
    rule, (args, kwargs) = tap.rule, arguments
    if rule.calls:
        return args, {}
    if rule.pattern is None:
        return (), {}
    if not _NAMELESS.isdisjoint(map(type, args)):
        args = tuple(value for value in args if type(value) not in _NAMELESS)
    return args, {name: v for name, v in kwargs.items() if type(v) not in _NAMELESS}


def held_by_arguments(arguments: Arguments) -> int:
    """Return how many bytes arguments keep alive, without running any code of their authors."""
    args, kwargs = arguments
    nbytes, heavy = 0, []
    for value in (*args, *kwargs.values()):
        if type(value) is str:
            nbytes += len(value) if len(value) > LONG_TEXT else 0
        elif type(value) not in _LIGHT:
            heavy.append(value)
    return nbytes + (held_by(heavy).nbytes if heavy else 0)


def are_plain(arguments: Arguments) -> bool:
    """Return whether names are found in arguments without any code of their authors.

    >>> are_plain(((["a.tif", 3], None), {})), are_plain((({1: object()},), {}))
    (True, False)
    """
    args, kwargs = arguments
    return _all_plain(args) and (not kwargs or _all_plain(kwargs.values()))


def _all_plain(values: Iterable[object], depth: int = 3) -> bool:
    return all(type(value) in _PLAIN or _is_plain(value, depth - 1) for value in values)


def _is_plain(value: object, depth: int) -> bool:
    kind = type(value)
    if kind is dict:
        contents: Any = value.values()  # type: ignore[attr-defined]
    elif kind in (list, tuple, set, frozenset):
        contents = value
    else:
        return False
    return depth > 0 and len(contents) <= MOST_CONTENTS and _all_plain(contents, depth)
