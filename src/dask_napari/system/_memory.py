"""Memory that processes share, and memory in huge pages."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from typing import Final

SHARED_MEMORY: Final = Path("/dev/shm")
"""Where Linux keeps shared memory, as files."""

PAGE_BYTES: Final = mmap.PAGESIZE


def reserve(descriptor: int, nbytes: int) -> None:
    """Reserve a file's memory now; a sparse file would be a SIGBUS when written."""
    os.posix_fallocate(descriptor, 0, nbytes)


def map_file(descriptor: int, nbytes: int, *, writable: bool) -> mmap.mmap:
    """Map a file, shared with all who map it; the mapping holds the file open, and its lock."""
    return mmap.mmap(descriptor, nbytes, prot=mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0))


def private_memory(nbytes: int) -> mmap.mmap:
    """Return memory of this process alone, in huge pages where the system has them."""
    # Private: shared memory, Python's default, gets no huge pages on most systems.
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
