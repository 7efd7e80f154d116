"""The arena: one shared-memory segment, cut into slots that are reused.

``multiprocessing.shared_memory`` is not used: before Python 3.13 attaching registers the segment
with a resource tracker whose exit deletes it under its living owner.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from dask_napari.stream.shm._allocator import Allocator
from dask_napari.system import (
    PAGE_BYTES,
    SHARED_MEMORY,
    UntrustedFileError,
    create_own,
    lock,
    map_file,
    open_own,
    own_folder,
    prefix,
    reserve,
    still_named,
)

DIRECTORY = SHARED_MEMORY
"""Folder of all users that has this user's folder of arenas; tests take another."""

HEADER: Final = 4096
"""Bytes before the slots: a page, so that slots are aligned to pages."""

MAGIC: Final = b"dask-napari arena"

TOKEN_BYTES: Final = 16

NOT_VISIBLE: Final = (
    "the arena is not visible to the receiver, which is on another host or in another container "
    f"(containers of one host share memory by a tmpfs volume on {SHARED_MEMORY})"
)

NAME: Final = re.compile(r"dask-napari-[0-9]+-[A-Za-z0-9-]{1,70}-[0-9a-f]{8}")
"""Names of segments: user, owner, eight random hexadecimal digits."""


class ArenaError(OSError):
    """Error of shared memory that cannot be had, or that a peer describes wrongly."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Part of an arena; ``generation`` tells its uses apart."""

    offset: int
    nbytes: int
    generation: int


def _unmap(memory: mmap.mmap | None) -> None:
    # A view that somebody still holds keeps the mapping; it goes with the last of them, provided
    # that the caller forgets the mapping, too.
    if memory is not None:
        with contextlib.suppress(BufferError):
            memory.close()


def _unavailable(directory: Path, nbytes: int, error: OSError) -> ArenaError:
    if error.errno == errno.ENOSPC:
        return ArenaError(
            errno.ENOSPC,
            f"{directory} has no room for an arena of {nbytes} bytes; make it larger "
            f"(Docker: --shm-size 1g, or one tmpfs volume on {SHARED_MEMORY} of all containers), "
            "or set dask-napari.arena to less",
        )
    return ArenaError(
        error.errno,
        f"no arena in {directory}: {error.strerror}; mount a tmpfs there that this user can "
        "write to, or set dask-napari.transport to inline",
    )


class Arena:
    """The owner's side of a segment; made by :meth:`create`.

    Who can name the random ``token`` in the header shares the memory.
    """

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.name: str = path.name
        self.size = size
        self.token: bytes = secrets.token_bytes(TOKEN_BYTES)
        memory = map_file(descriptor, size, writable=True)
        self._memory: mmap.mmap | None = memory
        self._bytes = np.frombuffer(memory, np.uint8)
        # Touched now: a first touch costs 2-4 us a page, which is the whole price of a copy.
        self._bytes[::PAGE_BYTES] = 0
        memory[: len(MAGIC)] = MAGIC
        memory[len(MAGIC) : len(MAGIC) + TOKEN_BYTES] = self.token
        self._slots = Allocator(size - HEADER)
        self._generations: dict[int, int] = {}
        self._count = 0

    def __repr__(self) -> str:
        state = f"{len(self._generations)} slots in use" if self._memory else "closed"
        return f"<Arena {self.name}: {self.size} bytes, {state}>"

    @classmethod
    def create(cls, owner: str, nbytes: int, directory: Path | None = None) -> Arena:
        """Make a segment, reserve its memory and lock it for the owner's life.

        The owner goes into the name, as letters, digits and hyphens. Raises :class:`ArenaError` if
        there is not enough shared memory.
        """
        if nbytes <= 0:
            raise ValueError(f"arena of {nbytes} bytes; give it some, 64 MiB for instance")
        if directory is None:
            try:
                directory = own_folder(DIRECTORY, create=True)
            except OSError as error:
                raise _unavailable(DIRECTORY, nbytes, error) from error
        size = HEADER + -(-nbytes // PAGE_BYTES) * PAGE_BYTES
        while True:
            path = directory / f"{prefix()}{owner}-{secrets.token_hex(4)}"
            if not NAME.fullmatch(path.name):
                raise ValueError(f"owner={owner!r} is not usable in a name; use A-Z, a-z, 0-9, -")
            try:
                descriptor = create_own(path, readable=True)
            except OSError as error:
                raise _unavailable(directory, nbytes, error) from error
            try:
                if lock(descriptor) and still_named(descriptor, path):
                    reserve(descriptor, size)
                    return cls(path, descriptor, size)
                path.unlink(missing_ok=True)  # a janitor looked at it before it was locked
            except BaseException as error:
                path.unlink(missing_ok=True)
                if isinstance(error, OSError):
                    raise _unavailable(directory, nbytes, error) from error
                raise
            finally:
                os.close(descriptor)

    @property
    def capacity(self) -> int:
        """Bytes of the largest slot that could ever be had."""
        return self._slots.size

    def unlink(self) -> None:
        """Remove the name; the memory stays until both ends let go. May be called again."""
        self.path.unlink(missing_ok=True)

    def allocate(self, nbytes: int) -> Slot | None:
        """Return a free slot, or None while the arena is full."""
        offset = self._slots.allocate(nbytes)
        if offset is None:
            return None
        self._count += 1
        self._generations[offset] = self._count
        return Slot(HEADER + offset, nbytes, self._count)

    def free(self, offset: int, generation: int) -> bool:
        """Take a slot back; return false if another use of it has begun."""
        offset -= HEADER
        if self._generations.get(offset) != generation:
            return False
        del self._generations[offset]
        return self._slots.free(offset)

    def view(self, slot: Slot) -> npt.NDArray[np.uint8]:
        """Return the bytes of a slot, to write to."""
        return self._bytes[slot.offset : slot.offset + slot.nbytes]

    def close(self) -> None:
        """Remove the name, unmap and unlock; may be called again."""
        if self._memory is None:
            return
        self.unlink()
        self._slots = Allocator(0)
        self._generations.clear()
        self._bytes = np.empty(0, np.uint8)
        memory, self._memory = self._memory, None
        _unmap(memory)


class ArenaReader:
    """The receiver's side: a read-only map of a peer's arena; made by :meth:`attach`.

    An owner that makes the file smaller is found out at the next slot. One that does it in the
    milliseconds while a slot is being copied kills who reads there (SIGBUS): only this user and
    root can, and they could send a signal as well. (`pread` would be safe from it, at a third of
    the speed.)
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory: mmap.mmap | None = memory
        self._bytes = np.frombuffer(memory, np.uint8)
        self.token: bytes = bytes(memory[len(MAGIC) : len(MAGIC) + TOKEN_BYTES])

    def __repr__(self) -> str:
        return f"<ArenaReader: {self._bytes.nbytes} bytes{'' if self._memory else ', closed'}>"

    @classmethod
    def attach(cls, name: str, size: int, directory: Path | None = None) -> ArenaReader:
        """Map a segment by the name that a peer gave, believing nothing.

        Raises :class:`ArenaError` if it is not an arena of this user and size.
        """
        if not NAME.fullmatch(name):
            raise ArenaError(errno.EINVAL, "not the name of an arena")
        try:
            descriptor = open_own((directory or own_folder(DIRECTORY)) / name, alone=True)
        except UntrustedFileError as error:
            raise ArenaError(error.errno, f"the arena {error.strerror}") from error
        except OSError as error:
            raise ArenaError(error.errno, NOT_VISIBLE) from error
        try:
            if os.fstat(descriptor).st_size != size or size < HEADER:
                raise ArenaError(errno.EINVAL, "the arena is of another size than the peer says")
            memory = map_file(descriptor, size, writable=False)
        except ArenaError:
            raise
        except OSError as error:
            raise ArenaError(error.errno, "the arena cannot be mapped here") from error
        finally:
            os.close(descriptor)
        if memory.size() < size or memory[: len(MAGIC)] != MAGIC:
            memory.close()
            raise ArenaError(errno.EINVAL, "the segment is not an arena")
        return cls(memory)

    def view(self, offset: int, nbytes: int) -> npt.NDArray[np.uint8]:
        """Return the bytes of a slot, read-only. Raises :class:`ArenaError` if they lie outside."""
        if offset < HEADER or nbytes < 0 or offset + nbytes > self._bytes.nbytes:
            raise ArenaError(errno.EFAULT, "slot outside of the arena")
        if self._memory is not None and self._memory.size() < self._bytes.nbytes:
            raise ArenaError(errno.EFAULT, "the arena was made smaller")
        return self._bytes[offset : offset + nbytes]

    def close(self) -> None:
        """Unmap; may be called again. Views that somebody holds stay valid."""
        self._bytes = np.empty(0, np.uint8)
        memory, self._memory = self._memory, None
        _unmap(memory)
