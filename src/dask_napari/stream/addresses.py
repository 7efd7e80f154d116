"""ZeroMQ addresses: which of a receiver's can be tried from here."""

from __future__ import annotations

import os
import socket
import stat


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
    try:
        status = os.stat(address.removeprefix("ipc://"))
    except (OSError, ValueError):
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()


def taken(address: str) -> bool:
    """Whether somebody listens on an ``ipc://`` address; ZeroMQ would take it over unasked.

    Examples
    --------
    >>> taken("ipc:///nowhere/receiver")
    False
    """
    if not address.startswith("ipc://"):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address.removeprefix("ipc://"))
        except TimeoutError:
            return True  # one that is stopped does not accept
        except OSError:
            return False
    return True
