"""Keys that a viewer leaves on its host for sinks of the same user, in its private directory.

So that a viewer on the loopback interface lets no other user in, and its own user need not carry
keys about: the file is of mode 0600, in a directory of mode 0700, and goes with the viewer.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from dask_napari.stream.auth._addresses import is_local
from dask_napari.stream.auth._security import Security
from dask_napari.system import DIRECTORY_NAME, bases, lock, prefix

FILE: Final = "keys.json"

SIZE_LIMIT: Final = 64 << 10
"""Bytes of such a file; it has some 300."""


def leave(directory: Path, addresses: Sequence[str], security: Security) -> None:
    """Write the clients' half of the keys for the sinks of this user.

    Parameters
    ----------
    directory : Path
        The viewer's private directory.
    addresses : sequence of str
        Where the viewer listens.
    security : Security
        Its keys.
    """
    text = json.dumps({"addresses": list(addresses), "keys": security.client().dumps()})
    descriptor = os.open(directory / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def find(address: str) -> Security | None:
    """Return the keys of this user's viewer that listens at an address of this host, if any.

    Nothing is returned for addresses of other hosts, nor what others could have written.

    Examples
    --------
    >>> find("tcp://192.0.2.1:5577") is None
    True
    """
    if not is_local(address):
        return None
    for directory in _directories():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            left = json.loads(_read(directory))
            if any(_same(address, other) for other in left["addresses"]):
                return Security.loads(left["keys"])
    return None


def _directories() -> Iterator[Path]:
    # A worker that ssh or a batch system started may not know of the session's directory.
    session = Path(f"/run/user/{os.getuid()}")
    for folder in dict.fromkeys((*bases(), session)):
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):
                if name.startswith(prefix()) and DIRECTORY_NAME.fullmatch(name):
                    yield folder / name


def _read(directory: Path) -> bytes:
    """Content of the file in a directory that is this user's alone, and whose owner lives."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(directory, flags | os.O_DIRECTORY)
    try:
        _check(descriptor)
        if lock(descriptor, shared=True):
            raise ValueError("its viewer has ended")
        file = os.open(FILE, flags | os.O_NONBLOCK, dir_fd=descriptor)
        try:
            _check(file)
            return os.read(file, SIZE_LIMIT)
        finally:
            os.close(file)
    finally:
        os.close(descriptor)


def _check(descriptor: int) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError("not this user's alone")


def _same(ours: str, theirs: object) -> bool:
    if not isinstance(theirs, str):
        return False
    if ours.startswith("tcp://") and theirs.startswith("tcp://"):
        # localhost, 127.0.0.1 and [::1] are this host; only one of them can have the port.
        return is_local(theirs) and ours.rsplit(":", 1)[1] == theirs.rsplit(":", 1)[1]
    return ours == theirs
