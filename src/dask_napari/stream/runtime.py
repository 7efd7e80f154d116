"""A private directory for a receiver's socket, held by a lock for its owner's life."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Final

IPC_LIMIT: Final = 107
"""Bytes of a Unix socket's path on Linux (``sun_path`` less its end; unix(7))."""


def prefix() -> str:
    """What the names of this user's segments and directories begin with."""
    return f"dask-napari-{os.getuid()}-"


def base() -> Path:
    """Where private directories are made: ``$XDG_RUNTIME_DIR``, or the directory for temporaries."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    # It may be named and not exist, in containers and under `su`.
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime)
    return Path(tempfile.gettempdir())


def lock(descriptor: int) -> bool:
    """Lock an open file or directory for as long as it is open; false if another holds it.

    The kernel gives the lock back when its owner ends, however it ends: that is how the janitor
    tells what a crash has left from what is in use.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def still_named(descriptor: int, path: Path) -> bool:
    """Whether ``path`` still is the open file; not if a janitor came before the lock did."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


class RuntimeDirectory:
    """A directory that only this user can enter, removed with its owner.

    Parameters
    ----------
    parent : Path, optional
        Where to make it; :func:`base` if not given.

    Examples
    --------
    >>> with RuntimeDirectory() as directory:
    ...     directory.socket("receiver").startswith("ipc://")
    True
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or base()
        while True:
            self.path = parent / f"{prefix()}{secrets.token_hex(6)}"
            self.path.mkdir(mode=0o700)
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if lock(self._descriptor) and still_named(self._descriptor, self.path):
                return
            os.close(self._descriptor)

    def socket(self, name: str) -> str:
        """Address of a socket in the directory.

        Raises
        ------
        ValueError
            If the path is too long for a Unix socket.
        """
        path = self.path / f"{name}.sock"
        if len(os.fsencode(path)) > IPC_LIMIT:
            raise ValueError(
                f"socket path {path} is longer than {IPC_LIMIT} bytes; set XDG_RUNTIME_DIR or "
                "TMPDIR to a directory with a shorter name"
            )
        return f"ipc://{path}"

    def close(self) -> None:
        """Remove the directory and what is in it; may be called again."""
        if self._descriptor < 0:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> RuntimeDirectory:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
