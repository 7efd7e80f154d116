"""Disks: their file systems, their free space, and files that are written and read at a place."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
import psutil

from dask_napari.system._platform import read_some, write_some

_PUNCH_HOLE: Final = 0x02 | 0x01
"""Mode of fallocate(2): the file keeps its length, and the range becomes a hole."""


def file_system(path: Path) -> str:
    """Return the type of the file system that a path is on, ``"ext4"`` say; empty if unknown."""
    path = path.resolve()
    mounts = psutil.disk_partitions(all=True)
    over = [mount for mount in mounts if path.is_relative_to(mount.mountpoint)]
    # The last of those with the longest path: mounts may lie on top of each other.
    return max(over, key=lambda mount: len(mount.mountpoint)).fstype if over else ""


def unnamed_file(folder: Path) -> IO[bytes]:
    """Open a file without a name (``O_TMPFILE``), for reading and writing.

    Nobody else can open it, and the kernel removes it when this process ends, after a ``SIGKILL``
    too.
    """
    return tempfile.TemporaryFile(dir=folder, buffering=0)


def write_at(descriptor: int, data: npt.NDArray[np.uint8], offset: int) -> None:
    """Write all bytes at an offset of an open file."""
    done = 0
    while done < data.nbytes:
        done += write_some(descriptor, data[done:], offset + done)


def read_at(descriptor: int, into: npt.NDArray[np.uint8], offset: int) -> None:
    """Fill an array from an offset of an open file. Raises OSError if the file ends before."""
    done = 0
    while done < into.nbytes:
        count = read_some(descriptor, into[done:], offset + done)
        if not count:
            raise OSError(errno.EIO, "the file is too short")
        done += count


def read_bytes(descriptor: int, start: int, end: int) -> bytes:
    """Return a range of an open file. Raises OSError if the file ends before."""
    found = np.empty(end - start, np.uint8)
    read_at(descriptor, found, start)
    return found.tobytes()


def punch_hole(descriptor: int, offset: int, nbytes: int) -> None:
    """Give a range of an open file back to the disk, where its file system can."""
    _fallocate()(descriptor, _PUNCH_HOLE, offset, nbytes)


@functools.cache
def _fallocate() -> Callable[..., Any]:
    # Python has it without modes. A file system that cannot says so by the result.
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    function = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if function is None:
        return lambda *arguments: -1
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]
