"""Calls of Linux, macOS and other systems after POSIX; `_windows` has the ones for Windows."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import resource
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

assert sys.platform != "win32"

OWN_FILE: Final = os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags to open a file of this user with: a link leads where nobody has looked, and a pipe of that
name would keep the caller waiting."""

HAS_IPC: Final = True
"""Whether processes of a host meet at Unix sockets."""

APART: Final[dict[str, Any]] = {"start_new_session": True}
"""Options of a child process that a terminal's Ctrl-C does not reach."""


def user_number() -> int:
    """Return the number of this user."""
    return os.getuid()


def is_own(status: os.stat_result) -> bool:
    """Return whether a file belongs to this user."""
    return status.st_uid == os.getuid()


def is_closed(status: os.stat_result) -> bool:
    """Return whether a file is closed to all but its owner."""
    return not stat.S_IMODE(status.st_mode) & 0o077


def run_folders() -> list[Path]:
    """Return folders for sockets and keys that do not depend on the environment."""
    return [Path(f"/run/user/{os.getuid()}"), Path("/tmp")]


def lock_path(path: Path) -> Path:
    """Return the file or directory to lock for a path: that itself."""
    return path


def open_within(parent: int, path: Path, flags: int) -> int:
    """Open a file in an open directory, whose path another directory may have taken since."""
    return os.open(path.name, flags, dir_fd=parent)


def open_directory(path: str | Path) -> int:
    """Open a directory to lock it; return its descriptor. Raises OSError for a link."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | OWN_FILE)


def take_lock(descriptor: int, *, shared: bool) -> bool:
    """Lock an open file or directory; return false if another holds it."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def answers(path: str) -> bool:
    """Return whether somebody listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except TimeoutError:
            return True  # one that is stopped does not accept
        except OSError:
            return False
    return True


def free_bytes(path: Path) -> int:
    """Return the bytes that can still be written to the disk of a path."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def allocated_bytes(descriptor: int) -> int:
    """Return the bytes that an open file takes on the disk, without its holes."""
    return os.fstat(descriptor).st_blocks * 512


def write_some(descriptor: int, data: npt.NDArray[np.uint8], offset: int) -> int:
    """Write at an offset of an open file; return how many bytes were written."""
    return os.pwrite(descriptor, data.data, offset)


def read_some(descriptor: int, into: npt.NDArray[np.uint8], offset: int) -> int:
    """Read from an offset of an open file; return how many bytes were read, 0 at its end."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [into.data], offset)
    found = os.pread(descriptor, into.nbytes, offset)  # macOS before 11
    into[: len(found)] = np.frombuffer(found, np.uint8)
    return len(found)


def reserve(descriptor: int, nbytes: int) -> None:
    """Reserve a file's memory now; a sparse file would be a SIGBUS when written."""
    if not hasattr(os, "posix_fallocate"):
        raise OSError("this system cannot reserve shared memory")
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


def never_block(descriptor: int) -> None:
    """Have reading and writing of a pipe raise BlockingIOError where it would wait."""
    os.set_blocking(descriptor, False)


def after_fork(callback: Callable[[], object]) -> None:
    """Have a function called in each process that is forked from this one."""
    os.register_at_fork(after_in_child=callback)


def descriptor_limit() -> int | None:
    """Return how many descriptors this process may have open, None without a limit."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit(wanted: int) -> None:
    """Allow this process as many descriptors as it may have, up to a number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
