"""Settings of one worker, which goes on with the default where its own cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dask_napari import config
from dask_napari.model import Reports

N = TypeVar("N", int, float)


def worker_setting(name: str, read: Callable[[str, Any], N], reports: Reports) -> N:
    """Return a setting; the default, and a report, if this worker's cannot be read."""
    try:
        return read(name, config.get(name))
    except ValueError as error:
        default = config.default(name)
        reports.error("setting", f"{error}; this worker goes on with {default}")
        return read(name, default)
