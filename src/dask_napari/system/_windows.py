"""Calls of Windows, where `_posix` has those of other systems.

Files in a user's profile, which holds the temporary folder too, are closed to other users by their
access lists, and Python tells neither owner nor list: what lies there is taken as the user's own.
"""

from __future__ import annotations

import mmap
import msvcrt
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

assert sys.platform == "win32"

OWN_FILE: Final = os.O_BINARY
"""Flags to open a file of this user with: without this one, ends of lines would be translated."""

HAS_IPC: Final = False
"""Whether processes of a host meet at Unix sockets."""

APART: Final[dict[str, Any]] = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
"""Options of a child process that a terminal's Ctrl-C does not reach."""

LOCK_FILE: Final = "lock"
"""Name of the file that is locked for its directory."""

_moves = threading.Lock()
"""Held between a seek and the reading or writing after it, since no call does both."""


def user_number() -> int:
    """Return 0: users have no numbers, and each has temporary folders of its own."""
    return 0


def is_own(status: os.stat_result) -> bool:
    """Return true: see the module."""
    return True


def is_closed(status: os.stat_result) -> bool:
    """Return true: see the module."""
    return True


def run_folders() -> list[Path]:
    """Return none: the temporary folder is the user's own, whatever started the process."""
    return []


def lock_path(path: Path) -> Path:
    """Return the file to lock for a path: one in a directory, since that cannot be opened."""
    return path / LOCK_FILE if path.is_dir() else path


def open_within(parent: int, path: Path, flags: int) -> int:
    """Open a file in an open directory, by its path: no call takes a directory's descriptor."""
    return os.open(path, flags)


def open_directory(path: str | Path) -> int:
    """Open the file that is locked for a directory; return its descriptor."""
    return os.open(Path(path) / LOCK_FILE, os.O_RDWR | os.O_CREAT | OWN_FILE)


def take_lock(descriptor: int, *, shared: bool) -> bool:
    """Lock an open file; return false if another holds it. There are no shared locks."""
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def answers(path: str) -> bool:
    """Return false: ZeroMQ has no Unix sockets here."""
    return False


def free_bytes(path: Path) -> int:
    """Return the bytes that can still be written to the disk of a path."""
    return shutil.disk_usage(path).free


def allocated_bytes(descriptor: int) -> int:
    """Return the bytes of an open file."""
    return os.fstat(descriptor).st_size


def write_some(descriptor: int, data: npt.NDArray[np.uint8], offset: int) -> int:
    """Write at an offset of an open file; return how many bytes were written."""
    with _moves:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data.data)


def read_some(descriptor: int, into: npt.NDArray[np.uint8], offset: int) -> int:
    """Read from an offset of an open file; return how many bytes were read, 0 at its end."""
    with _moves:
        os.lseek(descriptor, offset, os.SEEK_SET)
        found = os.read(descriptor, into.nbytes)
    into[: len(found)] = np.frombuffer(found, np.uint8)
    return len(found)


def reserve(descriptor: int, nbytes: int) -> None:
    """Raise OSError: arenas are for Linux, and streams go inline here."""
    raise OSError("this system cannot reserve shared memory")


def map_file(descriptor: int, nbytes: int, *, writable: bool) -> mmap.mmap:
    """Map a file; the mapping holds the file open."""
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    return mmap.mmap(descriptor, nbytes, access=access)


def private_memory(nbytes: int) -> mmap.mmap:
    """Return memory of this process alone."""
    return mmap.mmap(-1, nbytes)


def never_block(descriptor: int) -> None:
    """Raise OSError: pipes always wait here."""
    raise OSError("pipes to other programs are for Linux and macOS")


def after_fork(callback: Callable[[], object]) -> None:
    """Do nothing: no process is forked here."""


def descriptor_limit() -> int | None:
    """Return None: descriptors have no limit that can be told."""
    return None


def raise_descriptor_limit(wanted: int) -> None:
    """Do nothing: descriptors have no limit."""
