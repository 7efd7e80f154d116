"""What differs between operating systems."""

from __future__ import annotations

from dask_napari.system._parent_watch import ParentWatch
from dask_napari.system._private_directories import (
    DIRECTORY_NAME,
    IPC_LIMIT,
    RuntimeDirectory,
    bases,
    lock,
    prefix,
    still_named,
)
from dask_napari.system._wakeup import Wakeup

__all__ = [
    "DIRECTORY_NAME",
    "IPC_LIMIT",
    "ParentWatch",
    "RuntimeDirectory",
    "Wakeup",
    "bases",
    "lock",
    "prefix",
    "still_named",
]
