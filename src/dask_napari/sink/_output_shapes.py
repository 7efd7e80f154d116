"""Shapes of outputs, for people who look for the tasks to stream."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dask_napari.sink import dask_internals

if TYPE_CHECKING:
    from distributed import Worker


TABLES: Final = (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table"))
"""Modules and types of tables, which tell their shapes at once."""

LENGTH: Final = 100
"""Characters of a shape; a structured dtype has a name of any length."""


def output_shapes(keys: Iterable[Any], *, dask_worker: Worker) -> dict[Any, str]:
    """Return the shapes of outputs in a worker's memory, by key, for ``client.run``.

    Those of arrays and tables of known types alone: no code of others runs on the event loop.
    """
    found = {key: shape_text(dask_internals.output_in_memory(dask_worker, key)) for key in keys}
    return {key: text[:LENGTH] for key, text in found.items() if text}


def shape_text(value: object) -> str:
    """Return the shape of an array or a table, empty of anything else.

    >>> shape_text(np.zeros((512, 256), "uint16")), shape_text([1, 2])
    ('512x256 uint16', '')
    """
    kind = type(value)
    if kind is np.ndarray:
        array: np.ndarray[Any, Any] = value  # type: ignore[assignment]
        return f"{'x'.join(map(str, array.shape)) or 'scalar'} {array.dtype}"
    tables = (getattr(sys.modules.get(module), name, None) for module, name in TABLES)
    if any(kind is table for table in tables):
        rows, columns = value.shape  # type: ignore[attr-defined]
        return f"{rows}x{columns}"
    return ""
