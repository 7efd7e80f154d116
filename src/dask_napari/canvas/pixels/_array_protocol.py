"""The array protocol: numpy, dask and scikit-image take a lazy array for an array."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil
from numpy.lib.mixins import NDArrayOperatorsMixin

Axes = int | tuple[int, ...] | None

BY_SLICE: Final[dict[str, np.ufunc]] = {
    "max": np.maximum,
    "min": np.minimum,
    "sum": np.add,
    "prod": np.multiply,
    "any": np.logical_or,
    "all": np.logical_and,
}
"""Reductions that draw one slice of the first axis after the other, for the memory of one."""

ALIASES: Final = {"amax": "max", "amin": "min"}

OF_A_BUFFER: Final = frozenset({"base", "ctypes", "data", "flags", "strides"})
"""Attributes of arrays that describe a buffer, which a lazy array lacks."""

IN_PLACE: Final = frozenset(
    {"byteswap", "fill", "partition", "put", "resize", "setfield", "setflags", "sort"}
)
"""Methods of arrays that write to them."""

UNCHECKED: Final = 1 << 28
"""Bytes of a copy that is made without a look at the free memory, which takes a file's reading."""


class ArrayProtocol(NDArrayOperatorsMixin):
    """Operators, functions and methods of numpy's arrays, for an array that is drawn when needed.

    They work on a dense snapshot, which ``numpy.asarray`` draws; those of :data:`BY_SLICE` and the
    mean need one slice of the first axis at a time. A copy, a deep copy and a pickle are dense
    arrays, too: drawn later, they would be something else.
    """

    __hash__ = None  # type: ignore[assignment] # like arrays, which compare element by element

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        raise NotImplementedError

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        raise NotImplementedError

    def __getitem__(self, key: Any) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of an array with no axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return map(self.__getitem__, range(len(self)))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        _check_out(ufunc, options.get("out", ()))
        return getattr(ufunc, method)(*_dense(inputs), **_dense(options))

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        _check_out(function, (options.get("out"),))
        name = ALIASES.get(function.__name__, function.__name__)
        if (name in BY_SLICE or name == "mean") and args and args[0] is self and len(args) < 3:
            given = {key: each for key, each in options.items() if each is not np._NoValue}
            return getattr(self, name)(*args[1:], **given)
        return function(*_dense(args), **_dense(options))

    def mean(self, axis: Axes = None, *args: Any, **options: Any) -> Any:
        """Return the mean along axes, as :func:`numpy.mean` does."""
        if args or options.keys() - {"keepdims"} or self.ndim < 3:
            return np.asarray(self).mean(axis, *args, **options)
        count = prod(self.shape[at] for at in _axes(axis, self.ndim))
        total = _by_slice(self, np.add, axis, dtype=np.float64, **options)
        return np.true_divide(total, count).astype(np.mean(np.zeros(1, self.dtype)).dtype)[()]

    def copy(self, order: Any = "C") -> npt.NDArray[Any]:
        """Return a dense snapshot."""
        return np.array(self, order=order)

    def __copy__(self) -> npt.NDArray[Any]:
        return np.asarray(self)

    def __deepcopy__(self, memo: Any) -> npt.NDArray[Any]:
        return np.asarray(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)


def check_memory(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise MemoryError if a dense array would not fit into the free memory.

    Linux hands out memory that it does not have, and ends processes that come to use it.
    """
    nbytes = prod(shape) * dtype.itemsize
    if nbytes > UNCHECKED and nbytes > (free := psutil.virtual_memory().available):
        raise MemoryError(
            f"a dense array of {shape} {dtype} takes {nbytes / 2**30:.1f} GiB, and"
            f" {free / 2**30:.1f} GiB are free; take a part of it, such as data[0]"
        )


def _dense(value: Any) -> Any:
    """Return arguments with snapshots in the place of lazy arrays."""
    if isinstance(value, ArrayProtocol):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_dense, value))
    if isinstance(value, dict):
        return {name: _dense(each) for name, each in value.items()}
    return value


def _check_out(function: Callable[..., Any], out: tuple[Any, ...]) -> None:
    if any(isinstance(each, ArrayProtocol) for each in out):
        raise TypeError(
            f"{function.__name__} cannot write its result into a live layer;"
            " write it into a copy, data.copy()"
        )


def _axes(axis: Axes, ndim: int) -> set[int]:
    """Return the axes of a reduction, counted from the first."""
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for at in axes:
        if not -ndim <= at < ndim:
            raise np.exceptions.AxisError(at, ndim)
    return {at % ndim for at in axes}


def _by_slice(
    array: ArrayProtocol, ufunc: np.ufunc, axis: Axes, keepdims: bool = False, **options: Any
) -> Any:
    """Reduce an array of three axes or more, one slice of the first axis after the other."""
    axes = _axes(axis, array.ndim)
    within = tuple(sorted(at for at in axes if at))
    parts = (
        ufunc.reduce(np.asarray(array[at])[None], within, keepdims=True, **options)
        for at in range(len(array))
    )
    result = reduce(ufunc, parts) if 0 in axes else np.concatenate(list(parts))
    return result if keepdims else result.squeeze(tuple(axes))[()]


def _reduction(name: str) -> Callable[..., Any]:
    def method(self: ArrayProtocol, axis: Axes = None, *args: Any, **options: Any) -> Any:
        if args or options.keys() - {"keepdims", "dtype"} or self.ndim < 3 or not len(self):
            return getattr(np.asarray(self), name)(axis, *args, **options)
        return _by_slice(self, BY_SLICE[name], axis, **options)

    return method


def _method(name: str) -> Callable[..., Any]:
    def method(self: ArrayProtocol, *args: Any, **options: Any) -> Any:
        return getattr(np.asarray(self), name)(*_dense(args), **_dense(options))

    return method


def _attribute(name: str) -> Any:
    return property(lambda self: getattr(np.asarray(self), name))


def _complete() -> None:
    """Give the class all other public methods and attributes of numpy's arrays."""
    known = OF_A_BUFFER | IN_PLACE | {*dir(ArrayProtocol)}
    for name in {*dir(np.ndarray)} - known:
        if name[0] != "_" and callable(getattr(np.ndarray, name)):
            setattr(ArrayProtocol, name, (_reduction if name in BY_SLICE else _method)(name))
        elif name[0] != "_":
            setattr(ArrayProtocol, name, _attribute(name))
    for name in ("__bool__", "__int__", "__float__", "__complex__", "__index__", "__contains__"):
        setattr(ArrayProtocol, name, _method(name))


_complete()
