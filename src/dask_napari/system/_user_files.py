"""Files of this user: whose they are, and whether their owner lives."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path

from dask_napari.system._platform import (
    OWN_FILE,
    is_closed,
    is_own,
    lock_path,
    open_directory,
    open_within,
    take_lock,
    user_number,
)


class UntrustedFileError(OSError):
    """File that another user could have made; ``strerror`` says why, after "it"."""


def prefix() -> str:
    """Return the beginning of the names of this user's segments and directories."""
    return f"dask-napari-{user_number()}-"


def own_folder(folder: Path, *, create: bool = False) -> Path:
    """Return the folder for files of this user in one that others may write to, or that itself.

    In a shared folder, anybody can make any number of names that look like ours; nobody can in
    here. Raises :class:`UntrustedFileError` if others made it, can enter it or can put another in
    its place, or OSError.
    """
    shared = os.stat(folder)
    if is_own_alone(shared):
        return folder
    path = folder / prefix().rstrip("-")
    if shared.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not shared.st_mode & stat.S_ISVTX:
        raise UntrustedFileError(
            errno.EPERM,
            f"others can write to {folder}, and so move {path.name} away; chmod +t {folder}",
        )
    if create:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or not is_own_alone(status):
        raise UntrustedFileError(
            errno.EPERM, f"{path} is not a directory of this user alone; have it removed"
        )
    return path


def own_paths(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Return what lies under this user's names in its part of a folder; none if it has none.

    Whole names are compared: what a user calls dask-napari-1000-results is not ours.
    """
    try:
        folder = own_folder(folder)
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [folder / n for n in names if n.startswith(prefix()) and pattern.fullmatch(n)]


def is_own_alone(status: os.stat_result) -> bool:
    """Return whether a file belongs to this user and is closed to all others."""
    return is_own(status) and is_closed(status)


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file and return its descriptor. Raises OSError for a link, a pipe or a device."""
    descriptor = os.open(path, flags | OWN_FILE, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a file", str(path))
    return descriptor


def open_own(
    path: str | Path, *, directory: bool = False, alone: bool = False, parent: int | None = None
) -> int:
    """Open a file or directory of this user for reading; return its descriptor.

    ``parent`` is the descriptor of the directory in which the file lies, in place of which there
    may be another by now; with ``alone``, others must have no access. Raises
    :class:`UntrustedFileError`, or OSError for a link or what cannot be opened.
    """
    if directory:
        descriptor = open_directory(path)
    elif parent is not None:
        descriptor = open_within(parent, Path(path), os.O_RDONLY | OWN_FILE)
    else:
        descriptor = os.open(path, os.O_RDONLY | OWN_FILE)
    status = os.fstat(descriptor)
    wrong = ""
    if not directory and not stat.S_ISREG(status.st_mode):
        wrong = "is not a file"
    elif not is_own(status):
        wrong = "belongs to another user"
    elif alone and not is_own_alone(status):
        wrong = "is open to other users"
    if wrong:
        os.close(descriptor)
        raise UntrustedFileError(errno.EPERM, wrong)
    return descriptor


def create_own(path: Path, *, readable: bool = False) -> int:
    """Make a file that only this user can open; return a descriptor to write, and to read.

    Raises FileExistsError if the name is taken, by a link too.
    """
    access = os.O_RDWR if readable else os.O_WRONLY
    return os.open(path, access | os.O_CREAT | os.O_EXCL | OWN_FILE, 0o600)


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file or directory for as long as it is open; return false if another holds it.

    The kernel gives the lock back when its owner ends, however it ends: that is how the janitor
    tells what a crash has left from what is in use. A shared lock only looks: any number may
    have it, none while the owner lives.
    """
    return take_lock(descriptor, shared=shared)


def still_named(descriptor: int, path: Path) -> bool:
    """Return whether ``path`` still is the open file; not if a janitor came before the lock."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock_path(path).lstat())
    except FileNotFoundError:
        return False
