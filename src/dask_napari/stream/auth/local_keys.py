"""Keys that a viewer leaves on its host for sinks of its user, in its private directory.

So that a viewer on the loopback interface lets no other user in, and its own user need not carry
keys about: the file is of mode 0600, in a directory of mode 0700, and goes with the viewer.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dask_napari.stream.auth._addresses import is_local
from dask_napari.stream.auth._security import Security
from dask_napari.system import (
    RuntimeDirectory,
    bases,
    create_own,
    lock,
    meeting_places,
    open_own,
    private_directories,
)

FILE: Final = "keys.json"

SIZE_LIMIT: Final = 64 << 10
"""Bytes of such a file; it has some 300."""


def leave(addresses: Sequence[str], security: Security) -> RuntimeDirectory:
    """Write the clients' half of a viewer's keys; return the directory, to close with the viewer.

    It lies where programs of this user find it whatever their ``TMPDIR``.
    """
    directory = RuntimeDirectory(*meeting_places(), *bases())
    text = json.dumps({"addresses": list(addresses), "keys": security.client().dumps()})
    with os.fdopen(create_own(directory.path / FILE), "w") as file:
        file.write(text)
    return directory


def find(address: str) -> Security | None:
    """Return the keys of this user's viewer that listens at an address of this host, if any.

    Nothing is returned for addresses of other hosts, nor what others could have written.

    >>> find("tcp://192.0.2.1:5577") is None
    True
    """
    if not is_local(address):
        return None
    for directory in private_directories():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(_read(directory))
            if any(_same(address, other) for other in content["addresses"]):
                return Security.loads(content["keys"])
    return None


def _read(directory: Path) -> bytes:
    """Read the file in a directory that is this user's alone, and whose owner lives."""
    descriptor = open_own(directory, directory=True, alone=True)
    try:
        if lock(descriptor, shared=True):
            raise ValueError("its viewer has ended")
        file = open_own(directory / FILE, alone=True, parent=descriptor)
        try:
            return os.read(file, SIZE_LIMIT)
        finally:
            os.close(file)
    finally:
        os.close(descriptor)


def _same(ours: str, theirs: object) -> bool:
    if not isinstance(theirs, str):
        return False
    if ours.startswith("tcp://") and theirs.startswith("tcp://"):
        # localhost, 127.0.0.1 and [::1] are this host; only one of them can have the port.
        return is_local(theirs) and ours.rsplit(":", 1)[1] == theirs.rsplit(":", 1)[1]
    return ours == theirs
