"""Arrays on disk, in files without a name: whatever ends this process, nothing of them is left."""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.system import (
    allocated_bytes,
    file_system,
    free_bytes,
    punch_hole,
    read_at,
    unnamed_file,
    write_at,
)

RESERVE: Final = 1 << 30
"""Bytes of the disk that are left free: others need it too, Dask's own spilling first."""

SEGMENT_BYTES: Final = 1 << 30
"""A file is begun anew after so many bytes. What is freed goes back to the disk at once where the
file system can punch holes, and with its file where it cannot."""

PAGE: Final = 4096
"""Bytes that arrays are aligned to; holes are made of whole pages."""

IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
"""File systems that would keep in memory what is to leave it."""


class NoScratch(OSError):
    """Lack of a directory on a disk; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Place of an array in the files."""

    segment: int
    offset: int
    nbytes: int


@dataclass(slots=True)
class _Segment:
    file: Any
    end: int = 0
    live: int = 0


def _close(segments: dict[int, _Segment]) -> None:
    for segment in segments.values():
        segment.file.close()


def disk_folder(candidates: Iterable[Path] | None = None) -> Path:
    """Return the first directory that is on a disk: the one for temporary files, or ``/var/tmp``.

    Raises NoScratch if there is none.

    >>> disk_folder([Path("/nowhere"), Path(".")])
    PosixPath('.')
    """
    if candidates is None:
        candidates = Path(tempfile.gettempdir()), Path("/var/tmp")
    tried = list(candidates)
    for folder in tried:
        usable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
        if usable and file_system(folder) not in IN_MEMORY:
            return folder
    raise NoScratch(
        errno.ENOENT,
        f"no temporary directory on a disk ({' and '.join(map(str, tried))} are in memory or "
        "cannot be written); set TMPDIR to one",
    )


class Scratch:
    """Write arrays to disk and read them back.

    The files have no name, so that nothing of them is left when this process ends. Safe for
    threads, but for :meth:`close`.

    They lie in ``folder``, or else in :func:`disk_folder`, and leave ``reserve`` bytes of the disk
    free; after ``segment_bytes``, another file is begun.

    >>> with Scratch(Path("."), reserve=0) as scratch:
    ...     extent = scratch.write(np.arange(3, dtype="uint8"))
    ...     scratch.read(extent, np.empty(3, "uint8")).tolist(), scratch.nbytes
    ([0, 1, 2], 3)
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        reserve: int = RESERVE,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.folder = disk_folder() if folder is None else folder
        self.nbytes = 0
        """Bytes of the arrays that are here."""
        self._reserve = reserve
        self._segment_bytes = segment_bytes
        self._segments: dict[int, _Segment] = {}
        # Files live as long as an array that lies in them, which keeps this object.
        weakref.finalize(self, _close, self._segments)
        self._last = -1

    def __repr__(self) -> str:
        return f"<Scratch in {self.folder}: {self.nbytes} bytes in {len(self._segments)} files>"

    def write(self, array: npt.NDArray[Any]) -> Extent:
        """Write an array; one thread at a time.

        Raises OSError if the disk is full, or would be; nothing is kept of the array then.
        """
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        number, segment = self._segment()
        descriptor = segment.file.fileno()
        free = free_bytes(self.folder)
        if free - data.nbytes < self._reserve:
            raise OSError(
                errno.ENOSPC,
                f"{self.folder} has only {free / 1e9:.1f} GB free, of which "
                f"{self._reserve / 1e9:.1f} GB are left to others",
            )
        extent = Extent(number, segment.end, data.nbytes)
        try:
            write_at(descriptor, data, extent.offset)
        except OSError:
            os.ftruncate(descriptor, extent.offset)
            raise
        segment.end += -(-data.nbytes // PAGE) * PAGE
        segment.live += 1
        self.nbytes += data.nbytes
        return extent

    def _segment(self) -> tuple[int, _Segment]:
        segment = self._segments.get(self._last)
        if segment is None or segment.end >= self._segment_bytes:
            file = unnamed_file(self.folder)
            self._last += 1
            segment = self._segments[self._last] = _Segment(file)
        return self._last, segment

    def read(self, extent: Extent, into: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Fill a contiguous array from an extent, and return it; any thread. Raises OSError."""
        descriptor = self._segments[extent.segment].file.fileno()
        read_at(descriptor, into.reshape(-1).view(np.uint8), extent.offset)
        return into

    def free(self, extent: Extent) -> None:
        """Give the space of an array back to the disk; the thread that writes."""
        segment = self._segments[extent.segment]
        self.nbytes -= extent.nbytes
        segment.live -= 1
        if not segment.live and extent.segment != self._last:
            segment.file.close()
            del self._segments[extent.segment]
        elif not segment.live:
            os.ftruncate(segment.file.fileno(), 0)
            segment.end = 0
        else:
            punch_hole(segment.file.fileno(), extent.offset, -(-extent.nbytes // PAGE) * PAGE)

    @property
    def allocated(self) -> int:
        """Bytes that the files take on the disk."""
        return sum(
            allocated_bytes(segment.file.fileno()) for segment in list(self._segments.values())
        )

    def close(self) -> None:
        """Remove all files."""
        _close(self._segments)
        self._segments.clear()
        self.nbytes = 0

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
