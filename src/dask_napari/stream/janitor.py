"""The janitor: finds what crashed processes left, and never touches what is in use."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dask_napari.stream import arena
from dask_napari.stream.runtime import base, lock, prefix, still_named


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
        Seconds since it was made.
    alive : bool
        Whether its owner lives.
    """

    path: Path
    kind: Literal["segment", "directory"]
    nbytes: int
    age: float
    alive: bool


def _candidates() -> Iterator[tuple[Path, Literal["segment", "directory"]]]:
    for folder, kind in ((arena.DIRECTORY, "segment"), (base(), "directory")):
        try:
            paths = sorted(folder.glob(f"{prefix()}*"))
        except OSError:
            continue
        for path in paths:
            yield path, kind  # type: ignore[misc]


def _open(path: Path, kind: str) -> int | None:
    """Descriptor of a leftover that is this user's and of its kind; None otherwise."""
    extra = os.O_DIRECTORY if kind == "directory" else 0
    try:
        descriptor = os.open(
            path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | extra
        )
    except OSError:
        return None
    if os.fstat(descriptor).st_uid != os.getuid():
        os.close(descriptor)
        return None
    return descriptor


def _look(remove: bool) -> list[Leftover]:
    found = []
    for path, kind in _candidates():
        descriptor = _open(path, kind)
        if descriptor is None:
            continue
        try:
            status = os.fstat(descriptor)
            dead = lock(descriptor) and still_named(descriptor, path)
            nbytes = status.st_size if kind == "segment" else 0
            age = time.time() - status.st_mtime
            if remove and not dead:
                continue
            if remove and kind == "segment":
                path.unlink(missing_ok=True)
            elif remove:
                shutil.rmtree(path, ignore_errors=True)
            found.append(Leftover(path, kind, nbytes, age, not dead))
        finally:
            os.close(descriptor)
    return found


def find() -> list[Leftover]:
    """Segments and directories of this user, in use or not.

    Examples
    --------
    >>> [left.path for left in find() if not left.alive]
    []
    """
    return _look(remove=False)


def sweep() -> list[Leftover]:
    """Remove those whose owner is dead; return what was removed."""
    return _look(remove=True)
