"""The group of a whole record: its software, the layers of its taps, its ledgers and images."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from dask_napari._version import __version__
from dask_napari.model import LayerSpec, Ledger
from dask_napari.record._files import ELEMENTS, read_attributes, write_group
from dask_napari.record._journal import NAME, JournalReader, from_json, to_json
from dask_napari.record._ome_zarr import KEY, VERSION
from dask_napari.stream.receive import plain

LAYOUT: Final = 2  # raised when an older version cannot read a record


class _Attributes(msgspec.Struct):
    """Attributes of a record, as far as this version relies on them."""

    layout: int
    layers: list[dict[str, Any]] = []
    sessions: list[dict[str, Any]] = []
    runs: dict[str, Annotated[int, msgspec.Meta(ge=1, lt=1 << 31)]] = {}


def layers_of(attributes: dict[str, Any]) -> list[LayerSpec]:
    """Return the layers in the attributes of a record. Raises ValueError."""
    try:
        layers = from_json(attributes.get("layers", []))
        return msgspec.convert(layers, list[LayerSpec])
    except msgspec.ValidationError as error:
        raise ValueError(f"no layers of a record: {error}") from error


def check_record(path: Path) -> dict[str, Any]:
    """Return our attributes of a record; FileNotFoundError or ValueError if it is not one."""
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, f"no record at {path}")
    try:
        attributes: dict[str, Any] = read_attributes(path).get(KEY, {})
        msgspec.convert(attributes, _Attributes)
        layers_of(attributes)
    except (OSError, ValueError, RecursionError, msgspec.ValidationError):
        attributes = {}
    if "layout" not in attributes or not (path / NAME).is_file():
        raise ValueError(f"{path} is not a record of dask-napari")
    if attributes["layout"] != LAYOUT:
        by = f"dask-napari {attributes.get('software')}"
        raise ValueError(f"{path} has a layout that this version cannot read; read it with {by}")
    return attributes


def runs_of(path: Path) -> dict[str, int]:
    """Return the runs of a record, if there is one, by digests of the groups that filled them.

    Raises OSError or ValueError.
    """
    if not path.exists():
        return {}
    attributes = check_record(path)
    if "runs" in attributes:
        runs: dict[str, int] = attributes["runs"]
        return runs
    # An earlier version did not say which groups they were of.
    return {f"of run {number}": number for number in JournalReader(path).runs}


def create_record(path: Path, *, append: bool = False, overwrite: bool = False) -> None:
    """Create the group of a record, or check that there is one. Raises OSError, ValueError."""
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
        write_attributes(path, {"layout": LAYOUT, "software": __version__, "closed": False})
        (path / NAME).touch()
    (path / ELEMENTS).mkdir(exist_ok=True)


def write_attributes(path: Path, ours: dict[str, Any], images: Collection[str] = ()) -> None:
    """Write our attributes of a record, and the list of its images. Raises OSError."""
    ome: dict[str, Any] = {}
    if images:  # readers of collections refuse an empty one
        (path / "OME").mkdir(exist_ok=True)
        write_group(path / "OME", {"ome": {"version": VERSION, "series": sorted(images)}})
        ome = {"ome": {"version": VERSION, "bioformats2raw.layout": 3}}
    write_group(path, {**ome, KEY: ours})


class RecordSession:
    """Attributes of a record while one recorder writes it: its time, its ledger, its layers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        old = check_record(path)
        self._sessions: list[dict[str, Any]] = old.get("sessions", [])
        self._sessions.append({"started": time.time(), "software": __version__})
        self._layers: dict[str, Any] = {each["name"]: each for each in old.get("layers", [])}
        self._saved = b""

    def __repr__(self) -> str:
        return f"<RecordSession {len(self._sessions)} of {self._path}>"

    def save(
        self,
        ledger: Ledger,
        layers: list[LayerSpec],
        images: Collection[str],
        *,
        closed: bool,
        runs: dict[str, int] | None = None,
    ) -> None:
        """Write what is new; layers of earlier sessions stay. Raises OSError."""
        for spec in layers:
            self._layers[spec.name] = to_json(msgspec.to_builtins(spec))
        session = self._sessions[-1]
        session["ledger"] = plain(ledger)
        if closed:
            session["ended"] = time.time()
        ours = {"layout": LAYOUT, "software": __version__, "closed": closed}
        ours |= {"layers": list(self._layers.values()), "sessions": self._sessions}
        if runs is not None:
            ours["runs"] = runs
        if (text := msgspec.json.encode([ours, sorted(images)])) != self._saved:
            write_attributes(self._path, ours, images)
            self._saved = text
