"""Private directories for the sockets of receivers, locked for their owners' lives."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Final

from dask_napari.system._user_files import is_own, lock, own_paths, prefix, still_named

IPC_LIMIT: Final = 107
"""Bytes of a Unix socket's path on Linux (``sun_path`` less its end; unix(7))."""

DIRECTORY_NAME: Final = re.compile(r"dask-napari-[0-9]+-[0-9a-f]{12}")
"""Names of private directories: user, twelve random hexadecimal digits."""


def base() -> Path:
    """Return ``$XDG_RUNTIME_DIR`` or the temporary directory, else raise FileNotFoundError."""
    found = bases()
    if not found:
        raise FileNotFoundError(
            "no directory for temporary files can be written to; set XDG_RUNTIME_DIR or TMPDIR"
        )
    return found[0]


def bases() -> list[Path]:
    """Return each directory that :func:`base` may be for this user, as the environment changes."""
    found: list[Path] = []
    # There may be none, or no file descriptor to try them.
    with contextlib.suppress(OSError):
        found.append(Path(tempfile.gettempdir()))
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or ".")
    # It may be named and not exist, in containers, or be another user's, under `su`.
    with contextlib.suppress(OSError):
        if (
            runtime.is_absolute()
            and runtime.is_dir()
            and is_own(runtime.stat())
            and os.access(runtime, os.W_OK | os.X_OK)
        ):
            found.insert(0, runtime)
    return found


def private_directories() -> list[Path]:
    """Return the private directories of this user, whatever the environment of this process."""
    # A worker that ssh or a batch system started may not know of the session's directory.
    session = Path(f"/run/user/{os.getuid()}")
    folders = dict.fromkeys((*bases(), session))
    return [path for folder in folders for path in own_paths(folder, DIRECTORY_NAME)]


class RuntimeDirectory:
    """Directory that only this user can enter, removed when its owner closes it.

    The janitor removes that of an owner that was killed.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = base() if parent is None else parent
        self._descriptor = -1
        while self._descriptor < 0:
            self.path: Path = parent / f"{prefix()}{secrets.token_hex(6)}"
            self.path.mkdir(mode=0o700)
            self._descriptor = self._hold()

    def __repr__(self) -> str:
        return f"<RuntimeDirectory {self.path}{'' if self._descriptor >= 0 else ': closed'}>"

    def _hold(self) -> int:
        """Open and lock the directory; return -1 if a janitor came before the lock."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return -1
        held = False
        try:
            held = lock(descriptor) and still_named(descriptor, self.path)
        finally:
            if not held:
                os.close(descriptor)
                with contextlib.suppress(OSError):
                    self.path.rmdir()
        return descriptor if held else -1

    def socket(self, name: str) -> str:
        """Return a socket's address in the directory; ValueError if too long for a Unix socket."""
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
        os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> RuntimeDirectory:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
