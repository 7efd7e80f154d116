"""Arrays of any library, as numpy arrays in memory."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dask_napari.model import AnyArray, Refusal, mapping_of
from dask_napari.placement import is_labelled, is_quantity
from dask_napari.system import copy_mapped

_HOST: Final = frozenset({1, 3, 11, 13})
"""Devices of DLPack whose memory the processor can read: CPU, CUDA and ROCm host, CUDA managed."""

MOST_REPEATED: Final = 256 << 20
"""Bytes that an array may have by repeating its memory. Dask's own ``ones`` are one number for each
chunk, which costs the worker nothing until it is copied or converted for the viewer."""

_TINY_FLOATS: Final = ("bfloat16", "float8", "float6", "float4")
"""Prefixes of the names of floats that numpy has only through ``ml_dtypes``."""


def refuse_lazy(value: object) -> None:
    """Refuse a Dask collection or a lazy frame, which would be computed a second time here."""
    # A DataArray has the method always, and a graph only when it wraps a dask array.
    graph = getattr(value, "__dask_graph__", None)
    lazy = graph is not None and not isinstance(value, type) and graph() is not None
    if lazy or type(value).__name__ == "LazyFrame":
        remedy = ".compute()" if lazy else ".collect()"
        raise Refusal(
            "lazy collection",
            f"the task returned a lazy {type(value).__name__}; return its {remedy} instead",
        )


def refuse_repeated(array: AnyArray) -> None:
    """Refuse an array that takes a lot of memory only once it is copied."""
    if array.nbytes <= MOST_REPEATED:
        return
    steps = zip(array.shape, array.strides, strict=True)
    span = array.itemsize + sum((length - 1) * abs(stride) for length, stride in steps)
    if span < array.nbytes:
        raise Refusal(
            "too large",
            f"an array of shape {array.shape} repeats {span} B of memory and would take"
            f" {array.nbytes >> 20} MiB; return a part of it, or a copy: output.copy()",
        )


def _in_memory(array: AnyArray) -> AnyArray:
    """Return an array, or its copy if it is in a mapped file; refuse one whose file was cut short.

    Tasks that write to one scratch file in turn cut it.
    """
    mapping = mapping_of(array)
    if mapping is None:
        return array
    try:
        return copy_mapped(array, *mapping)
    except OSError as error:
        raise Refusal(
            "file cut short",
            "the file of a mapped array has been cut short; return a copy, numpy.array(output), "
            "from tasks that write to one file in turn",
        ) from error


def is_array(value: object) -> bool:
    """Return whether a value is an array of some library.

    >>> is_array(np.zeros(3)), is_array([1, 2]), is_array(np.ndarray)
    (True, False, False)
    """
    if isinstance(value, type):
        return False
    if isinstance(value, np.ndarray):
        return True
    return any(hasattr(value, name) for name in ("__array__", "__dlpack__", "__array_interface__"))


def to_host(value: object) -> AnyArray:
    """Return an array of any library as a numpy array; one on a graphics card is copied.

    >>> to_host(np.arange(3, dtype=">u2")).dtype
    dtype('uint16')
    """
    if type(value) is np.ndarray and value.dtype.kind in "biuf" and value.dtype.isnative:
        refuse_repeated(value)
        # The usual case, for which the checks below would cost more than a copy.
        return value if value.base is None else _in_memory(value)
    refuse_lazy(value)
    if is_quantity(value):
        value = value.magnitude  # type: ignore[attr-defined]
    if isinstance(value, np.ma.MaskedArray):
        refuse_repeated(value)
        value = np.ma.masked_array(_in_memory(value.data), value.mask)
        value = value.filled(0 if value.dtype.kind in "biuc" else np.nan)
    if not is_array(value):
        raise Refusal(
            "not an array",
            f"the task returned a {type(value).__name__}, which cannot be shown;"
            " select tasks that return arrays",
        )
    try:
        data = _read(value)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(
            "not an array", f"a {type(value).__name__} cannot be read as an array: {error}"
        ) from error
    refuse_repeated(data)
    data = _in_memory(data)
    if data.dtype.kind == "V" and data.dtype.name.startswith(_TINY_FLOATS):
        data = data.astype(np.float32)
    # The wire knows native byte order only.
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def _read(value: Any) -> AnyArray:
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if is_labelled(value):
        inner = value.data.magnitude if is_quantity(value.data) else value.data
        return _read(inner) if is_array(inner) else np.asarray(value)
    if _on_host(value):
        if not _converts(value):
            return np.from_dlpack(value)
        try:
            return np.asarray(value)
        except Exception:
            # A tensor that is part of a gradient, or of a dtype that numpy lacks.
            return _read_by(value, ("detach", "resolve_conj", "float"), np.asarray)
    get = getattr(value, "get", None)
    if callable(get):  # CuPy
        return np.asarray(get())
    if hasattr(value, "cpu"):  # torch
        return _read(_call(value, ("detach", "cpu")))
    if _converts(value):  # JAX copies by itself
        return np.asarray(value)
    return np.from_dlpack(value, device="cpu", copy=True)


def _converts(value: Any) -> bool:
    """Return whether numpy can read a value without DLPack, which ``asarray`` does not use."""
    return hasattr(value, "__array__") or hasattr(value, "__array_interface__")


def _on_host(value: Any) -> bool:
    """Return whether an array is in the processor's memory, as far as it tells."""
    device = getattr(value, "__dlpack_device__", None)
    if device is None:
        return True
    try:
        return int(device()[0]) in _HOST
    except Exception:
        return True


def _call(value: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        method = getattr(value, name, None)
        value = method() if callable(method) else value
    return value


def _read_by(value: Any, names: tuple[str, ...], read: Any) -> AnyArray:
    """Read a value after calling one more of its methods each time, until reading works."""
    failure: Exception | None = None
    for count in range(1, len(names) + 1):
        if not hasattr(value, names[count - 1]):
            continue
        try:
            return read(_call(value, names[:count]))  # type: ignore[no-any-return]
        except Exception as error:
            failure = error
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(value)
    if failure is not None:
        raise failure
    return read(value)  # type: ignore[no-any-return]


def coordinates(value: object, name: str, ndim: int | None = None) -> AnyArray:
    """Return an array or nested lists as floating point numbers."""
    if isinstance(value, list | tuple):
        value = from_lists(value, name)
    data = to_host(value)
    if data.dtype.kind == "O":
        try:
            data = data.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise Refusal("dtype", f"{name} are not all numbers: {error}") from error
    if data.dtype.kind not in "iuf":
        raise Refusal("dtype", f"{name} of dtype {data.dtype} cannot be coordinates")
    if ndim is not None and data.ndim != ndim:
        raise Refusal("dimensions", f"{name} need {ndim} axes, and have shape {data.shape}")
    small = data.dtype.kind == "f" and data.dtype.itemsize <= 4
    return data.astype(np.float32 if small else np.float64, copy=False)


def from_lists(value: list[Any] | tuple[Any, ...], name: str) -> AnyArray:
    """Return nested lists, or a list of arrays, as one array."""
    rows = [to_host(row) if is_array(row) else row for row in value]
    try:
        return np.asarray(rows)
    except (TypeError, ValueError, OverflowError) as error:
        raise Refusal("dimensions", f"{name} of unequal lengths: {error}") from error
    except Exception as error:  # of the elements' own `__array__` or `__len__`
        raise Refusal(
            "not an array", f"{name} cannot be read: {type(error).__name__}: {error}"
        ) from error
