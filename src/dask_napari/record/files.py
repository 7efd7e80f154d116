"""Files that are whole or not there, and what it is called when they cannot be written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any, Final

import msgspec

RESERVE: Final = 4 << 20
"""Bytes of the disk that items leave free, for the journal and the metadata: a full disk still
gets its ledger."""

PART: Final = ".part"
"""What the names of files that are being written end in; readers pass over them."""

FULL: Final = "disk-full"
READ_ONLY: Final = "disk-read-only"
FORBIDDEN: Final = "disk-permission"

_REASONS: Final = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
}

REMEDIES: Final = {
    FULL: "make room there; what comes after that is recorded again",
    READ_ONLY: "mount it for writing, or record somewhere else; items are not recorded meanwhile",
    FORBIDDEN: "give this user the right to write there; items are not recorded meanwhile",
}


def reason_of(error: OSError) -> str:
    """What items that meet an error are counted as in the ledger.

    Examples
    --------
    >>> reason_of(OSError(errno.ENOSPC, "no space")), reason_of(OSError(errno.EIO, "broken"))
    ('disk-full', 'disk: EIO')
    """
    if error.errno in _REASONS:
        return _REASONS[error.errno]
    return f"disk: {errno.errorcode.get(error.errno or 0, type(error).__name__)}"


def check_room(folder: Path, nbytes: int) -> None:
    """Refuse to fill a disk to its last byte.

    Raises
    ------
    OSError
        If there is no room for so many bytes and the reserve.
    """
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < nbytes + RESERVE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def write_part(path: Path, data: bytes | memoryview) -> Path:
    """Write what is to become a file, under another name; nothing is left if that fails."""
    part = path.with_name(f".{path.name}{PART}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            view, done = memoryview(data), 0
            while done < len(view):
                done += os.write(descriptor, view[done:])
        finally:
            os.close(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return part


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or replace it, in one step: others see the old content or the new one."""
    part = write_part(path, data)
    try:
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of JSON that holds a mapping; empty if it is not there."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return found


def write_json(path: Path, value: object) -> None:
    """Write a file of JSON in one step."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(value), indent=1))
