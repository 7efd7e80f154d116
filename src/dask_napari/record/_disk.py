"""Files that are written in one step, and the refusals that a failing disk means for items."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

import msgspec

from dask_napari.model import Refusal

RESERVE: Final = 4 << 20
"""Bytes of the disk that items leave free, for the journal and the metadata: a full disk still
gets its ledger."""

PART: Final = ".part"
"""Suffix of files and folders that are being written; readers pass over them."""

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

_REMEDIES: Final = {
    FULL: "make room there; what comes after that is recorded again",
    READ_ONLY: "mount it for writing, or record somewhere else; items are not recorded meanwhile",
    FORBIDDEN: "give this user the right to write there; items are not recorded meanwhile",
}


def refusal_of(error: OSError) -> Refusal:
    """Return the refusal of an item that the disk does not take, with the remedy.

    Examples
    --------
    >>> refusal_of(OSError(errno.ENOSPC, "no space")).reason
    'disk-full'
    >>> refusal_of(OSError(errno.EIO, "broken"))
    Refusal('disk: EIO', detail='items are not recorded meanwhile')
    """
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    reason = _REASONS.get(error.errno or 0, f"disk: {name}")
    return Refusal(reason, _REMEDIES.get(reason, "items are not recorded meanwhile"))


def check_room(folder: Path, nbytes: int) -> None:
    """Raise ``OSError`` if the disk has no room for so many bytes and the reserve."""
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < nbytes + RESERVE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def part_of(path: Path) -> Path:
    """Return the name under which a file or folder is written until it is complete."""
    return path.with_name(f".{path.name}{PART}")


def write_part(path: Path, data: bytes | memoryview) -> None:
    """Write a file under the name of its part. Raises OSError, and leaves nothing then."""
    part = part_of(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            view, done = memoryview(data), 0
            while done < len(view):
                done += os.write(descriptor, view[done:])
        finally:
            os.close(descriptor)
    except OSError:
        remove(part)
        raise


def write_json(path: Path, value: object) -> None:
    """Write a file of JSON, or replace it, in one step. Raises OSError."""
    write_part(path, msgspec.json.format(msgspec.json.encode(value), indent=1))
    try:
        os.replace(part_of(path), path)
    except OSError:
        remove(part_of(path))
        raise


def write_group(folder: Path, attributes: dict[str, Any]) -> None:
    """Write a zarr group with its attributes in one step. Raises OSError."""
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    write_json(folder / "zarr.json", group)


def read_attributes(folder: Path) -> dict[str, Any]:
    """Return the attributes of a zarr group, empty if there is none. Raises OSError, ValueError."""
    try:
        found = json.loads((folder / "zarr.json").read_bytes())
    except FileNotFoundError:
        return {}
    attributes = found.get("attributes") if isinstance(found, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as that is possible."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
