"""The janitor: finds what crashed processes left, and never touches what is in use."""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dask_napari.stream.shm import arena
from dask_napari.system import DIRECTORY_NAME, bases, lock, prefix, still_named

LeftoverKind = Literal["segment", "directory"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of dask-napari's on this host.

    Attributes
    ----------
    path : Path
        Where it is.
    kind : {"segment", "directory"}
        An arena, or the directory of a receiver's socket.
    nbytes : int
        Memory that a segment takes.
    age : float
        Seconds since it was last changed.
    alive : bool
        Whether its owner lives.
    """

    path: Path
    kind: LeftoverKind
    nbytes: int
    age: float
    alive: bool


def _candidates() -> Iterator[tuple[Path, LeftoverKind]]:
    # Whole names, not prefixes alone: what a user calls dask-napari-1000-results is no leftover.
    for path in _named(arena.DIRECTORY, arena.NAME):
        yield path, "segment"
    try:
        folders = dict.fromkeys(bases())
    except OSError:
        return  # no file descriptor is left to look with; another time
    for folder in folders:
        for path in _named(folder, DIRECTORY_NAME):
            yield path, "directory"


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [folder / n for n in names if n.startswith(prefix()) and pattern.fullmatch(n)]


def _open(path: Path, kind: LeftoverKind) -> int | None:
    """Descriptor of a leftover that is this user's and of its kind; None otherwise."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | (os.O_DIRECTORY if kind == "directory" else 0))
    except OSError:
        return None
    status = os.fstat(descriptor)
    right = stat.S_ISDIR if kind == "directory" else stat.S_ISREG
    if status.st_uid == os.getuid() and right(status.st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _look(remove: bool) -> list[Leftover]:
    found = []
    for path, kind in _candidates():
        descriptor = _open(path, kind)
        if descriptor is None:
            continue
        try:
            # Only to look, a shared lock: two that look at once must not take each other for
            # the owner.
            dead = lock(descriptor, shared=not remove)
            if not still_named(descriptor, path) or (remove and not dead):
                continue
            status = os.fstat(descriptor)
            if remove and kind == "segment":
                path.unlink(missing_ok=True)
            elif remove:
                shutil.rmtree(path, ignore_errors=True)
            nbytes = status.st_blocks * 512 if kind == "segment" else 0
            age = max(0.0, time.time() - status.st_mtime)
            found.append(Leftover(path, kind, nbytes, age, not dead))
        except OSError:
            continue  # no locks on this file system, say: nothing to end a stream over
        finally:
            os.close(descriptor)
    return found


def find() -> list[Leftover]:
    """Segments and directories of this user, in use or not.

    Examples
    --------
    >>> from dask_napari.system._private_directories import RuntimeDirectory
    >>> with RuntimeDirectory() as mine:
    ...     [left.alive for left in find() if left.path == mine.path]
    [True]
    """
    return _look(remove=False)


def sweep() -> list[Leftover]:
    """Remove those whose owner is dead; return what was removed.

    Examples
    --------
    >>> any(left.alive for left in sweep())
    False
    """
    return _look(remove=True)
