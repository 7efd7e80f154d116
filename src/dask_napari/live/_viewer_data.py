"""Data of a viewer's layers, read by the client: as labelled arrays, tables or items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from dask_napari.model import (
    PIXEL_KINDS,
    TABLE_KINDS,
    AnyArray,
    Item,
    ItemDescription,
    element_rows,
)
from dask_napari.stream import Control

if TYPE_CHECKING:
    import pandas
    import xarray

TIMEOUT: Final = 60.0
"""Seconds for a part of the data; the viewer may be drawing, or reading from its disk."""


class ViewerData:
    """Items of one layer, as they were when the client asked for them.

    Their arrays stay with the viewer until they are read, in parts of some megabytes.
    """

    def __init__(self, control: Control, layer: str) -> None:
        self._control = control
        self.layer = layer
        found = self._ask("list", layer=layer)
        self._list = int(found["list"])
        self.axes: list[str] = [str(name) for name in found["axes"]]
        """Sliders of the viewer, the outermost first."""
        self.fill: float = float(found.get("fill", 0.0))
        """Value of elements without an item; older viewers do not tell it."""
        self.items: list[ItemDescription] = []
        while len(self.items) < int(found["count"]):
            page = self._ask("page", list=self._list, start=len(self.items))["items"]
            if not page:
                raise ValueError(f"the viewer listed {len(self.items)} of {found['count']} items")
            self.items += [msgspec.msgpack.decode(each, type=ItemDescription) for each in page]

    def __repr__(self) -> str:
        return f"<ViewerData of {self.layer!r}: {len(self.items)} items>"

    def _ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        return asked(self._control, name, **arguments)

    @property
    def kind(self) -> str:
        """Kind of the items."""
        return self.items[0].meta.kind

    def read(self, number: int, name: str = "data") -> AnyArray:
        """Read an array of an item."""
        array = self.items[number].empty(name)
        target = array.reshape(-1).view(np.uint8)
        start = 0
        while start < len(target):
            answer = self._ask("read", list=self._list, item=number, array=name, start=start)
            part = np.frombuffer(answer["bytes"], np.uint8)
            if not len(part) or answer["nbytes"] != len(target):
                raise ValueError(f"the viewer sent another array {name!r} than it had listed")
            target[start : start + len(part)] = part
            start += len(part)
        return array

    def item(self, number: int) -> Item:
        """Read an item."""
        found = self.items[number]
        arrays = {name: self.read(number, name) for name in found.arrays}
        return Item.of(found.meta, arrays.pop("data"), arrays)

    def all_items(self) -> Iterator[Item]:
        """Read all items, one after the other."""
        return map(self.item, range(len(self.items)))

    def labelled(self) -> xarray.DataArray | pandas.DataFrame:
        """Return an array with coordinates, or the table of elements."""
        if self.kind in PIXEL_KINDS:
            try:
                from dask_napari.live._labelled_pixels import labelled_pixels
            except ImportError as error:
                raise ImportError(f"data of {self.kind} need xarray: pip install xarray") from error
            return labelled_pixels(self)
        if self.kind not in TABLE_KINDS:
            raise ValueError(f"layer {self.layer!r} is a {self.kind}; live.save(path) writes it")
        try:
            import pandas
        except ImportError as error:
            raise ImportError(f"data of {self.kind} need pandas: pip install pandas") from error
        tables = [pandas.DataFrame(element_rows(item)) for item in self.all_items()]
        return pandas.concat(tables, ignore_index=True)


def asked(control: Control, name: str, **arguments: Any) -> dict[str, Any]:
    """Return a viewer's answer about its data."""
    try:
        return control.request(name, arguments, timeout=TIMEOUT)
    except RuntimeError as error:
        if "unknown request" in str(error):
            advice = "the viewer cannot hand out data: upgrade dask-napari on the viewer"
            raise RuntimeError(advice) from error
        raise ValueError(str(error).split(": ", 1)[-1]) from None


def source_names(control: Control) -> list[str]:
    """Return the names of the layers that a viewer shows."""
    return [str(name) for name in asked(control, "layers")["layers"]]
