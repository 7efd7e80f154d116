"""Writing items that are there already as a record."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path

from dask_napari.model import Item, Ledger
from dask_napari.record._record_group import RecordSession
from dask_napari.record._store import Store


def write_items(path: str | Path, items: Iterable[Item], *, overwrite: bool = False) -> None:
    """Write items as a record; with ``overwrite`` in the place of a record, and of nothing else.

    The first item that cannot be written raises a Refusal; those before it are in the record.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from dask_napari.record import Record
    >>> path = f"{tempfile.mkdtemp()}/cells.zarr"
    >>> write_items(path, [Item("cells", "labels", np.ones((2, 2), "uint8"), {"t": 0})])
    >>> len(Record(path))
    1
    """
    path = Path(path)
    store = Store(path, overwrite=overwrite and path.exists())
    session = RecordSession(path)
    try:
        for shown in items:
            item = copy.copy(shown)
            item.run = 1  # one picture, whose runs, if there are several, are an axis
            (refusal,) = store.put([item])
            if refusal:
                raise refusal
        store.finish()
        session.save(Ledger(), [], store.contents.images, closed=True)
    finally:
        store.close()
