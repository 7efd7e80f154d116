"""ZeroMQ addresses: which of a receiver's can be tried from here."""

from __future__ import annotations

import os
from pathlib import Path


def reachable(address: str) -> bool:
    """Whether it is worth connecting to an address.

    An ``ipc://`` socket must exist on this host and belong to this user. Whether the two ends
    share memory is not decided here: that is probed.

    Examples
    --------
    >>> reachable("tcp://127.0.0.1:5577"), reachable("ipc:///nowhere/receiver")
    (True, False)
    """
    if not address.startswith("ipc://"):
        return True
    path = Path(address.removeprefix("ipc://"))
    try:
        status = path.lstat()
    except OSError:
        return False
    return path.is_socket() and status.st_uid == os.getuid()
