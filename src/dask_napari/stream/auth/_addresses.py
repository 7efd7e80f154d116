"""ZeroMQ addresses: which of a receiver's can be tried from here."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from pathlib import Path

from dask_napari.system import answers, is_own, is_own_alone


def reachable(address: str) -> bool:
    """Return whether an address is worth connecting to.

    An ``ipc://`` socket must exist on this host and belong to this user. Whether the two ends
    share memory is not decided here: that is probed.
    """
    if not address.startswith("ipc://"):
        return True
    try:
        status = os.stat(address.removeprefix("ipc://"))
    except (OSError, ValueError):
        return False
    return stat.S_ISSOCK(status.st_mode) and is_own(status)


def taken(address: str) -> bool:
    """Return whether somebody listens on an ``ipc://`` address; ZeroMQ would take it over."""
    if not address.startswith("ipc://"):
        return False
    return answers(address.removeprefix("ipc://"))


_TCP = re.compile(r"tcp://(\[[^\]\s]+\]|[^:/\[\]\s]+):([0-9]{1,5}|\*)")


def check_tcp(address: str) -> None:
    """Refuse what is not an address of TCP, with a ValueError."""
    match = _TCP.fullmatch(address)
    if match is None or (match[2] != "*" and int(match[2]) > 65535):
        raise ValueError(f"address {address!r} is not tcp://host:port or ipc:///path")


def host_and_port(address: str) -> tuple[str, str]:
    """Return host and port of a TCP address; a port that is not chosen yet is ``*``.

    Raises ValueError if it is none.

    >>> host_and_port("tcp://[::1]:5577")
    ('::1', '5577')
    """
    match = _TCP.fullmatch(address)
    if match is None:
        raise ValueError(f"address {address!r} is not tcp://host:port")
    return match[1].strip("[]"), match[2]


def is_private(address: str) -> bool:
    """Return whether an address is a socket in a directory that only this user can enter.

    Both ends look at the same directory, and so agree.
    """
    if not address.startswith("ipc://"):
        return False
    try:
        status = Path(address.removeprefix("ipc://")).parent.stat()
    except (OSError, ValueError):
        return False
    return is_own_alone(status)


def is_local(address: str) -> bool:
    """Return whether no other host can reach an address: ipc, or the loopback interface."""
    if address.startswith("ipc://"):
        return True
    match = _TCP.fullmatch(address)
    if match is None:
        return False
    host = match[1].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
