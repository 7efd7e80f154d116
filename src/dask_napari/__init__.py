"""See a Dask computation in napari while it runs.

Examples
--------
>>> from dask.distributed import Client, wait
>>> import dask_napari as dn
>>> with Client() as client, dn.watch(client) as live:  # doctest: +SKIP
...     live.tap("segment", kind="labels", layer="cells", at="{plate}/{well}_s{field:d}")
...     futures = client.map(segment, paths)
...     done = wait(futures)
...     live.wait()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dask_napari._version import __version__

if TYPE_CHECKING:
    from dask_napari import conventions
    from dask_napari.batches import save_batch
    from dask_napari.live import Live, ViewerFailed, watch
    from dask_napari.model import Ledger, Tally
    from dask_napari.sink import NapariSink, show
    from dask_napari.stream import ViewerGone
    from dask_napari.stream.auth import Security
    from dask_napari.tap import Axis, Tap, TapOptions, channels, mosaic

__all__ = [
    "Axis",
    "Ledger",
    "Live",
    "NapariSink",
    "Security",
    "Tally",
    "Tap",
    "TapOptions",
    "ViewerFailed",
    "ViewerGone",
    "__version__",
    "channels",
    "conventions",
    "mosaic",
    "save_batch",
    "show",
    "watch",
]

# Loaded when asked for: a viewer must start without `distributed`, a worker without the client.
_MODULES = {
    "Axis": "tap",
    "Ledger": "model",
    "Live": "live",
    "NapariSink": "sink",
    "Security": "stream.auth",
    "Tally": "model",
    "Tap": "tap",
    "TapOptions": "tap",
    "ViewerFailed": "live",
    "ViewerGone": "stream",
    "channels": "tap",
    "mosaic": "tap",
    "save_batch": "batches",
    "show": "sink",
    "watch": "live",
}


def __getattr__(name: str) -> Any:
    if name == "conventions":
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
