"""Limits of a process: ZeroMQ ends the whole process where one of them stops its own threads."""

from __future__ import annotations

import errno
import os
import threading
from typing import Final

from dask_napari.system import _platform

DESCRIPTORS: Final = 32
"""Descriptors that a context with one socket, its connection and an arena take, twice over."""

ADDRESS_SPACE: Final = 32 << 20
"""Bytes; more than the buffers that ZeroMQ allocates before it has sent anything."""

WANTED_DESCRIPTORS: Final = 65_536
"""Descriptors of a viewer; each worker takes two, and so does each stranger who connects."""


class ResourceShortage(OSError):
    """Error where a process is at one of its limits; the text says what to do.

    ``short_of`` is the plural of what the process has no more of.
    """

    def __init__(self, number: int, short_of: str, text: str) -> None:
        super().__init__(number, text)
        self.short_of = short_of


def require(*, threads: int = 0) -> None:
    """Make sure that ZeroMQ can be used, by so many new threads, or raise ResourceShortage.

    All is taken for a moment, and given back.
    """
    _require_descriptors()
    _require_address_space()
    _require_threads(threads)


def _require_descriptors() -> None:
    taken: list[int] = []
    try:
        first = os.open(os.devnull, os.O_RDONLY)
        taken.append(first)
        taken += (os.dup(first) for _ in range(DESCRIPTORS - 1))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        limit = _platform.descriptor_limit()
        raise ResourceShortage(
            errno.EMFILE,
            "file descriptors",
            f"no file descriptors are left of {limit}; raise the limit with ulimit -n",
        ) from error
    finally:
        for descriptor in taken:
            os.close(descriptor)


def _require_address_space() -> None:
    try:
        _platform.private_memory(ADDRESS_SPACE).close()
    except OSError as error:
        raise ResourceShortage(
            errno.ENOMEM,
            "address space",
            f"less than {ADDRESS_SPACE >> 20} MiB of address space are left; raise the limit with "
            "ulimit -v",
        ) from error


def _require_threads(number: int) -> None:
    # With the default stack, as ZeroMQ's have: they take address space, too.
    started: list[threading.Thread] = []
    end = threading.Event()
    try:
        for _ in range(number):
            thread = threading.Thread(target=end.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise ResourceShortage(
            errno.EAGAIN,
            "threads",
            f"no more threads can be started, and {number} are needed; raise the limit of "
            "processes (ulimit -u, or that of the container) or of address space (ulimit -v)",
        ) from error
    finally:
        end.set()
        for thread in started:
            thread.join()


def raise_descriptor_limit() -> None:
    """Allow this process as many descriptors as it may have, within reason."""
    _platform.raise_descriptor_limit(WANTED_DESCRIPTORS)
