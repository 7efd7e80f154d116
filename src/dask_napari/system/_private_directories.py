"""Private directories for the sockets of receivers, locked for their owners' lives."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from dask_napari.system._platform import is_own, open_directory, run_folders
from dask_napari.system._user_files import (
    UntrustedFileError,
    lock,
    own_folder,
    own_paths,
    prefix,
    still_named,
)

logger = logging.getLogger(__name__)

IPC_LIMIT: Final = 107
"""Bytes of a Unix socket's path on Linux (``sun_path`` less its end; unix(7))."""

DIRECTORY_NAME: Final = re.compile(r"dask-napari-[0-9]+-[0-9a-f]{12}")
"""Names of private directories: user, twelve random hexadecimal digits."""


def bases() -> list[Path]:
    """Return the folders that private directories may be in, the best first.

    That is ``$XDG_RUNTIME_DIR``, or the temporary directory. Some follow for when another user has
    taken our name there, and for programs with another environment.
    """
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
    return [*dict.fromkeys((*found, *meeting_places()))]


def meeting_places() -> list[Path]:
    """Return the folders in which programs of this user find each other, the best first.

    They do not depend on the environment: a worker that ssh or a batch system started may have
    another ``TMPDIR``, and know nothing of the session's directory.
    """
    return run_folders()


def private_directories() -> list[Path]:
    """Return the private directories of this user, whatever the environment of this process."""
    return [path for folder in bases() for path in own_paths(folder, DIRECTORY_NAME)]


def _first_usable(folders: Iterable[Path]) -> Path:
    why: list[str] = []
    for folder in folders:
        try:
            own = own_folder(folder, create=True)
        except OSError as error:
            why.append(error.strerror or str(error))
            if isinstance(error, UntrustedFileError):
                logger.warning("%s is not used for sockets and keys: %s", folder, why[-1])
            continue
        if os.access(own, os.W_OK | os.X_OK):
            return own
        why.append(f"{own} cannot be written to")
    raise FileNotFoundError(
        "no directory for temporary files can be written to; set XDG_RUNTIME_DIR or TMPDIR "
        f"to one of this user ({'; '.join(dict.fromkeys(why))})"
    )


class RuntimeDirectory:
    """Directory that only this user can enter, removed when its owner closes it.

    It is made in the first of some folders in which that is possible; raises FileNotFoundError if
    it is in none. The janitor removes that of an owner that was killed.
    """

    def __init__(self, *folders: Path) -> None:
        parent = _first_usable(folders or bases())
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
            descriptor = open_directory(self.path)
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
        shutil.rmtree(self.path, ignore_errors=True)  # the file that was open, on Windows
        self._descriptor = -1

    def __enter__(self) -> RuntimeDirectory:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
