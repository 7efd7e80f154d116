"""Files of a record: their names, writing them in one step, and what a failing disk means."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import json
import os
import re
import shutil
import unicodedata
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from dask_napari.model import AnyArray, Refusal
from dask_napari.system import free_bytes, open_regular

ELEMENTS: Final = "elements"  # folder of the arrays that no image holds, a file for each item
PART: Final = ".part"  # suffix of files and folders that are being written

NAME_LENGTH: Final = 60  # a layer may have a thousand characters, and file systems end at 255
UNSAFE: Final = re.compile(r"[^\w.+-]+", re.ASCII)
RESERVE: Final = 4 << 20  # bytes that items leave free: a full disk gets its ledger

FULL: Final = "disk-full"
REASONS: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "disk-permission"),
    errno.EROFS: "disk-read-only",
}
REMEDIES: Final = {
    FULL: "make room there; what comes after that is recorded again",
    "disk-read-only": "mount it for writing, or record somewhere else",
    "disk-permission": "give this user the right to write there",
}


def refusal_of(error: Exception) -> Refusal:
    """Return the refusal of an item, with the remedy where the disk does not take it.

    >>> refusal_of(OSError(errno.EROFS, "read-only")).reason, refusal_of(OSError(errno.EIO, ""))
    ('disk-read-only', Refusal('disk: EIO', detail='items are not recorded meanwhile'))
    """
    if not isinstance(error, OSError):
        return Refusal.of(error)
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    reason = REASONS.get(error.errno or 0, f"disk: {name}")
    return Refusal(reason, REMEDIES.get(reason, "items are not recorded meanwhile"))


def check_room(folder: Path, nbytes: int, reserves: int = 1) -> None:
    """Raise ``OSError`` if the disk has no room for so many bytes and the reserve."""
    if free_bytes(folder) < nbytes + reserves * RESERVE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def part_of(path: Path) -> Path:
    """Return the name under which a file or folder is written until it is complete."""
    return path.with_name(f".{path.name}{PART}")


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all bytes to an open file. Raises OSError."""
    view, done = memoryview(data), 0
    while done < len(view):
        done += os.write(descriptor, view[done:])


def write_part(path: Path, data: bytes | memoryview) -> None:
    """Write a file under the name of its part. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(open_regular(part_of(path), flags), "wb") as file:
        write_all(file.fileno(), data)


def write_json(path: Path, value: object) -> None:
    """Write a file of JSON, or replace it, in one step. Raises OSError."""
    try:
        write_part(path, msgspec.json.format(msgspec.json.encode(value), indent=1))
        os.replace(part_of(path), path)
    except OSError:
        remove(part_of(path))
        raise


def write_group(folder: Path, attributes: dict[str, Any]) -> None:
    """Write the metadata of a zarr group in one step. Raises OSError."""
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    write_json(folder / "zarr.json", group)


def open_inside(path: Path) -> BinaryIO:
    """Open a file of a record for reading. Raises OSError for a link, a pipe or a device."""
    return os.fdopen(open_regular(path), "rb")


def check_inside(root: Path, name: str) -> Path:
    """Return a path in a record, from its journal. Raises ValueError if it leads out of it."""
    path = root / name
    if name.startswith("/") or ".." in name.split("/") or path.resolve() != root.resolve() / name:
        raise ValueError(f"{name} is not in the record, or is a link")
    return path


def check_entries(folder: Path) -> None:
    """Raise ValueError if there is a link, a pipe or a device in a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                raise ValueError(f"{entry.path} is neither a file nor a folder")


def read_attributes(folder: Path) -> dict[str, Any]:
    """Return the attributes of a zarr group, empty if it has none. Raises OSError, ValueError."""
    path = folder / "zarr.json"
    if not os.path.lexists(path):
        return {}
    with open_inside(path) as file:
        found = json.loads(file.read())
    attributes = found.get("attributes") if isinstance(found, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as that is possible."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def encode_arrays(arrays: Iterable[AnyArray], *, compress: bool) -> memoryview:
    """Return the content of a file of arrays.

    Arrays are numbered, since names of features may be any text; the journal has the names.
    """
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, *arrays)
    return file.getbuffer()


def read_arrays(path: Path) -> list[AnyArray]:
    """Return the arrays of a file. Raises OSError, ValueError."""
    try:
        with open_inside(path) as content, np.load(content, allow_pickle=False) as file:
            return [file[f"arr_{number}"] for number in range(len(file.files))]
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def new_name(label: str, taken: Iterable[str]) -> str:
    """Return a name that reminds of a label, and is new on file systems without capitals, too.

    >>> new_name("../raw/DAPI µm", []), new_name("Raw", ["raw"]), new_name("...", [])
    ('raw_DAPI_um', 'Raw.2', 'layer')
    """
    plain = unicodedata.normalize("NFKD", label.replace("µ", "u").replace("μ", "u"))
    plain = plain.encode("ascii", "ignore").decode()
    base = UNSAFE.sub("_", plain)[:NAME_LENGTH].strip("._-") or "layer"
    others = {name.casefold() for name in taken}
    names = itertools.chain([base], (f"{base}.{number}" for number in itertools.count(2)))
    return next(name for name in names if name.casefold() not in others)
