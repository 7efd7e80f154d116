"""The file without a name in which ImageJ finds planes and vertices."""

from __future__ import annotations

import errno
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np

from dask_napari.model import AnyArray, Refusal
from dask_napari.system import free_bytes, read_at, unnamed_file, write_at

RESERVE: Final = 64 << 20
"""Bytes that are left free on the disk, which is not ours alone."""


class PlaneFile:
    """Ranges of a file that grows; a range that is freed is used again for one of its length.

    >>> with PlaneFile() as file:
    ...     first = file.write(np.arange(4, dtype="u1"))
    ...     file.free(first, 4)
    ...     file.write(np.zeros(4, "u1")) == first
    True
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        self._file = unnamed_file(self._folder)
        self._end = 0
        self._free: dict[int, list[int]] = defaultdict(list)

    def __repr__(self) -> str:
        return f"<PlaneFile of {self._end} bytes>"

    def fileno(self) -> int:
        """Return the descriptor, which ImageJ inherits."""
        return self._file.fileno()

    def write(self, data: AnyArray) -> int:
        """Write an array to a range of its own; return where it begins.

        Raises Refusal if the disk is full.
        """
        nbytes = data.nbytes
        try:
            if self._free[nbytes]:
                offset = self._free[nbytes].pop()
            else:
                if free_bytes(self._folder) < nbytes + RESERVE:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                offset = self._end
                self._end += nbytes
            self.overwrite(offset, data)
        except OSError as error:
            reason = "disk-full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "disk"
            remedy = f"{self._folder}: {error.strerror}; set TMPDIR to another"
            raise Refusal(reason, remedy) from error
        return offset

    def overwrite(self, offset: int, data: AnyArray) -> None:
        """Write an array over a range. Raises OSError."""
        write_at(self.fileno(), np.ascontiguousarray(data).reshape(-1).view(np.uint8), offset)

    def read(self, offset: int, into: AnyArray) -> None:
        """Fill a contiguous array from a range. Raises OSError."""
        read_at(self.fileno(), into.reshape(-1).view(np.uint8), offset)

    def free(self, offset: int, nbytes: int) -> None:
        """Let a range be used again, once ImageJ reads it no more."""
        self._free[nbytes].append(offset)

    def close(self) -> None:
        """Give the disk its room back, as soon as ImageJ has ended, too."""
        self._file.close()

    def __enter__(self) -> PlaneFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
