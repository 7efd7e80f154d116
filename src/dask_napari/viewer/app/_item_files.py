"""Files of arrays and of elements: TIFF, NumPy's own, and CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from dask_napari.model import PIXEL_KINDS, Item, element_rows

BIG_TIFF: Final = 3 << 30
"""Bytes above which a TIFF has offsets of 64 bits; those of 32 reach to 4 GiB."""

NamedItems = Callable[[], Iterable[tuple[str, Item]]]
"""Returns items with the names of their layers, whenever it is called."""


def write_item(item: Item, path: str) -> None:
    """Write one item in the format of a path's ending; raises OSError or ValueError."""
    item = item.loaded()
    if path.endswith(".npy"):
        np.save(path, item.data)
    elif item.kind in PIXEL_KINDS:
        write_picture(path, item.data, is_rgb=item.rgb)
    elif path.endswith(".csv"):
        write_table(path, lambda: [(item.name, item)])
    else:
        raise ValueError(f"{item.kind} are not written to {path!r}; give .csv or .npy")


def write_picture(path: str, array: Any, *, is_rgb: bool) -> None:
    """Write an array as a TIFF."""
    import tifffile

    bigtiff, ome = array.nbytes > BIG_TIFF, ".ome." in path.lower()
    with tifffile.TiffWriter(path, bigtiff=bigtiff, ome=ome) as file:
        file.write(array, photometric="rgb" if is_rgb else "minisblack")


def write_table(path: str, items: NamedItems, *, with_layers: bool = False) -> None:
    """Write elements as one table, with a column for each coordinate and feature."""
    names: dict[str, None] = {}
    for _, item in items():
        names.update(dict.fromkeys(element_rows(item)))
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*["layer"] * with_layers, *names])
        for layer, item in items():
            rows = element_rows(item)
            length = len(next(iter(rows.values())))
            columns = [rows[name].tolist() if name in rows else [""] * length for name in names]
            first = [[layer] * length] if with_layers else []
            table.writerows(zip(*first, *columns, strict=True))
