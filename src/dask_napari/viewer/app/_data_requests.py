"""Requests of clients for the data behind layers: lists of items, and their bytes in parts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from dask_napari.model import Item, ItemDescription
from dask_napari.viewer.layers import Layers

PART_BYTES: Final = 8 << 20
"""Bytes of a reply; a copy of so many takes the window a few milliseconds."""

PAGE: Final = 1000
"""Items of a reply, some hundred bytes each unless their keys are long."""

LISTS_KEPT: Final = 8
"""Lists whose items clients can read; what was replaced since stays as long."""

ITEMS_LIMIT: Final = 250_000
"""Items of a list, at most; a list takes some 300 bytes an item."""


class DataRequests:
    """Answers to clients that read what layers hold.

    A client asks for a list of a layer's items, and then for their arrays; it gets them as they
    were when it asked for the list.
    """

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._lists: dict[int, list[Item]] = {}
        self._numbers = itertools.count(1)
        self._reading: tuple[Item, str, npt.NDArray[np.uint8]] | None = None
        """Array that is read in parts: it may come from the disk, and only once for all parts."""
        self.answers: Mapping[str, Any] = {
            "layers": self._names,
            "list": self._list,
            "page": self._page,
            "read": self._read,
        }

    def __repr__(self) -> str:
        return f"<DataRequests: {len(self._lists)} lists of {self._layers}>"

    def _names(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"layers": self._layers.source_names}

    def _list(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """List the items of a layer, or of a part of its outputs."""
        name = str(arguments.get("layer"))
        items = list(itertools.islice(self._layers.items_from(name), ITEMS_LIMIT + 1))
        if not items:
            known = ", ".join(map(repr, self._layers.source_names)) or "none yet"
            raise ValueError(f"there is no layer {name!r}; there are: {known}")
        if len(items) > ITEMS_LIMIT:
            raise ValueError(f"layer {name!r} has more than {ITEMS_LIMIT:,} items; record them")
        number = next(self._numbers)
        self._lists[number] = items
        while len(self._lists) > LISTS_KEPT:
            del self._lists[next(iter(self._lists))]
        return {
            "list": number,
            "count": len(items),
            "axes": list(self._layers.axes.names),
            "fill": self._layers.fill_of(items[0]),
        }

    def _items(self, arguments: Mapping[str, Any]) -> list[Item]:
        try:
            return self._lists[arguments["list"]]
        except KeyError:
            raise ValueError("the viewer holds these data no longer; ask for the layer") from None

    def _page(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Describe some items of a list."""
        start = int(arguments["start"])
        found, room = [], PART_BYTES
        for item in self._items(arguments)[start : start + PAGE]:
            found.append(msgspec.msgpack.encode(ItemDescription.of(item)))
            room -= len(found[-1])
            if room < 0:
                break
        return {"items": found}

    def _read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return a part of an array of an item."""
        item = self._items(arguments)[int(arguments["item"])]
        name, start = arguments["array"], int(arguments["start"])
        if self._reading is None or self._reading[:2] != (item, name):
            array = item.loaded().data if name == "data" else item.arrays[name]
            self._reading = item, name, np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        content = self._reading[2]
        if start + PART_BYTES >= len(content):
            self._reading = None
        part = content[start : start + PART_BYTES].tobytes()
        return {"bytes": part, "nbytes": len(content)}
