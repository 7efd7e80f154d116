"""The group of a whole record: what it is, who made it, and its ledgers."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from dask_napari._version import __version__
from dask_napari.record import files, ome
from dask_napari.record._journal import NAME

LAYOUT: Final = 1
"""Raised when an older version cannot read a record."""


def check_record(path: Path) -> dict[str, Any]:
    """Return our attributes of a record.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it is something else.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, f"there is no record {path}")
    try:
        found = files.read_json(path / "zarr.json") if path.is_dir() else {}
        attributes: dict[str, Any] = found.get("attributes", {}).get(ome.KEY, {})
    except ValueError:
        attributes = {}
    if "layout" not in attributes or not (path / NAME).is_file():
        raise ValueError(f"{path} is no record of dask-napari")
    if attributes["layout"] != LAYOUT:
        raise ValueError(
            f"{path} was made by dask-napari {attributes.get('software')}, whose layout this "
            "version does not know; upgrade dask-napari"
        )
    return attributes


def prepare(path: Path, *, append: bool = False, overwrite: bool = False) -> None:
    """Make the group of a record, or see to it that there is one.

    Raises
    ------
    OSError
        If something is there that may not be written over, or it cannot be written.
    ValueError
        If what is there is no record.
    """
    if path.exists() and overwrite:
        check_record(path)  # nothing else is ever removed
        shutil.rmtree(path)
    if path.exists() and append:
        check_record(path)
    elif path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            errno.EEXIST, f"{path} is there already; use --append to go on with it, or another name"
        )
    else:
        path.mkdir(parents=True, exist_ok=True)
        write(path, {"layout": LAYOUT, "software": __version__, "closed": False})
        (path / NAME).touch()


def write(path: Path, ours: dict[str, Any]) -> None:
    """Write the attributes of a record. Raises OSError."""
    # Without images it is no collection of any.
    images = {"ome": ome.root()} if (path / "OME" / "zarr.json").exists() else {}
    write_group(path, {**images, ome.KEY: ours})


def write_series(path: Path, images: Iterable[str]) -> None:
    """List the images, so that readers of collections find them. Raises OSError."""
    if paths := sorted(images):
        (path / "OME").mkdir(exist_ok=True)
        write_group(path / "OME", {"ome": ome.series(paths)})
        write(path, check_record(path))


def write_group(folder: Path, attributes: dict[str, Any]) -> None:
    """Write the attributes of a group in one step. Raises OSError."""
    files.write_json(
        folder / "zarr.json",
        {"zarr_format": 3, "node_type": "group", "attributes": attributes},
    )
