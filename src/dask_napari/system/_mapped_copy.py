"""Copies of arrays in mapped files, whose pages may be gone."""

from __future__ import annotations

import errno
import math
import mmap
import os
import sys
import tempfile
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.system._disk import read_at, write_at

PIECE: Final = 1 << 20
"""Bytes that are copied at once: enough that system calls do not count, few enough for any host."""


def copy_mapped(
    array: npt.NDArray[Any], mapping: mmap.mmap | None = None, begins: int = 0
) -> npt.NDArray[Any]:
    """Return a copy of an array in a mapped file, made by the kernel.

    To touch a page that the file no longer has ends the process (SIGBUS); a system call that does
    so fails instead. Raises OSError then, and if the file has become shorter than a mapping that
    ``begins`` at that place in it: behind the end of a file, its last page has zeros.

    >>> copy_mapped(np.arange(12).reshape(3, 4)[:, ::2]).tolist()
    [[0, 2], [4, 6], [8, 10]]
    """
    if mapping is not None and _size(mapping) < begins + len(mapping):
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    copy = np.empty(array.shape, array.dtype)
    order = np.argsort([-abs(stride) for stride in array.strides], kind="stable")
    source, target = np.asarray(array).transpose(order), copy.transpose(order)
    descriptor = _scratch()
    try:
        if copy.size:
            _copy(descriptor, source, target)
    finally:
        os.close(descriptor)
    return copy


def _size(mapping: mmap.mmap) -> float:
    try:
        return mapping.size()
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return math.inf  # memory of no file


def _scratch() -> int:
    if sys.platform == "linux":
        return os.memfd_create("dask-napari-copy")
    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())


def _copy(descriptor: int, source: npt.NDArray[Any], target: npt.NDArray[Any]) -> None:
    """Copy by the largest parts that lie in one stretch of memory."""
    if source.flags.c_contiguous:
        target[...] = _read(descriptor, source).view(source.dtype).reshape(source.shape)
    elif source.ndim == 1:
        # From the lowest address on, with the elements between those of the array.
        if source.strides[0] < 0:
            source, target = source[::-1], target[::-1]
        shape, step = source.shape, source.strides[0]
        stretch = (shape[0] - 1) * step + source.itemsize
        bytes_ = np.lib.stride_tricks.as_strided(source[:1].view(np.uint8), (stretch,), (1,))
        target[...] = np.ndarray(shape, source.dtype, _read(descriptor, bytes_).data, 0, (step,))
    else:
        for part, place in zip(source, target, strict=True):
            _copy(descriptor, part, place)


def _read(descriptor: int, source: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    data = source.reshape(-1).view(np.uint8)
    found = np.empty(data.size, np.uint8)
    for start in range(0, data.size, PIECE):
        piece = data[start : start + PIECE]
        write_at(descriptor, piece, 0)
        read_at(descriptor, found[start : start + PIECE], 0)
    return found
