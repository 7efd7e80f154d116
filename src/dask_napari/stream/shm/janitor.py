"""The janitor: find what crashed processes left, and never touch what is in use."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dask_napari.stream.shm import arena
from dask_napari.system import (
    allocated_bytes,
    lock,
    open_own,
    own_paths,
    private_directories,
    still_named,
)

LeftoverKind = Literal["segment", "directory"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Segment of an arena, or directory of a receiver's socket, on this host."""

    path: Path
    kind: LeftoverKind
    nbytes: int
    """Memory that a segment takes."""
    age: float
    """Seconds since the last change."""
    alive: bool
    """Whether the owner lives."""


def _candidates() -> Iterator[tuple[Path, LeftoverKind]]:
    for path in own_paths(arena.DIRECTORY, arena.NAME):
        yield path, "segment"
    for path in private_directories():
        yield path, "directory"


def _look(remove: bool) -> list[Leftover]:
    found = []
    for path, kind in _candidates():
        try:
            descriptor = open_own(path, directory=kind == "directory")
        except OSError:
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
            nbytes = allocated_bytes(descriptor) if kind == "segment" else 0
            age = max(0.0, time.time() - status.st_mtime)
            found.append(Leftover(path, kind, nbytes, age, not dead))
        except OSError:
            continue  # no locks on this file system, say: nothing to end a stream over
        finally:
            os.close(descriptor)
    return found


def find() -> list[Leftover]:
    """Return the segments and directories of this user, in use or not."""
    return _look(remove=False)


def sweep() -> list[Leftover]:
    """Remove segments and directories whose owners are dead; return what was removed."""
    return _look(remove=True)
