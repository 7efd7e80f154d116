"""What the attributes of a record say: what the taps said of layers, and the ledgers."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from dask_napari._version import __version__
from dask_napari.model import LayerSpec, Ledger
from dask_napari.record import root
from dask_napari.record._journal_lines import from_json, to_json
from dask_napari.stream.receive import plain
from dask_napari.stream.wire import LayerHeader


class Attributes:
    """The attributes of a record that is written; a session more than it has.

    Parameters
    ----------
    path : Path
        The record.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        old = root.check_record(path)
        self._sessions: list[dict[str, Any]] = old.get("sessions", [])
        self._sessions.append({"started": time.time(), "software": __version__})
        self._layers: dict[str, Any] = {each["name"]: each for each in old.get("layers", [])}
        self._series = 0
        self._saved = ""

    def learn(self, specs: Mapping[str, LayerSpec]) -> None:
        """Take over what taps say of layers; layers of earlier sessions stay."""
        self._layers |= {name: _plain(spec) for name, spec in specs.items()}

    def save(self, ledger: Ledger, images: Collection[str], *, closed: bool) -> None:
        """Write what is new. Raises OSError."""
        session = self._sessions[-1]
        session["ledger"] = plain(ledger)
        if closed:
            session["ended"] = time.time()
        ours = {
            "layout": root.LAYOUT,
            "software": __version__,
            "closed": closed,
            "layers": list(self._layers.values()),
            "sessions": self._sessions,
        }
        if (text := repr(ours)) != self._saved:
            root.write(self._path, ours)
            self._saved = text
        if self._series != len(images):
            root.write_series(self._path, images)
            self._series = len(images)


def _plain(spec: LayerSpec) -> Any:
    header = LayerHeader.of(replace(spec, options=to_json(dict(spec.options))))
    return msgspec.to_builtins(header)


def layers_of(attributes: Mapping[str, Any]) -> list[LayerSpec]:
    """The layers that the attributes of a record name."""
    found = (msgspec.convert(each, LayerHeader).spec for each in attributes.get("layers", []))
    return [replace(spec, options=from_json(spec.options)) for spec in found]
