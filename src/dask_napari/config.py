"""Settings, in Dask's way: ``dask_napari.yaml``, ``dask.config`` and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.config
import yaml
from dask.utils import parse_bytes, parse_timedelta

DEFAULTS = Path(__file__).with_name("dask_napari.yaml")

dask.config.ensure_file(source=str(DEFAULTS))
dask.config.update_defaults(yaml.safe_load(DEFAULTS.read_text()))


def get(name: str) -> Any:
    """A setting.

    Parameters
    ----------
    name : str
        Its name under ``dask-napari``, for instance ``"transport"``.

    Examples
    --------
    >>> get("transport")
    'auto'
    """
    return dask.config.get(f"dask-napari.{name}")


def get_bytes(name: str) -> int:
    """A setting such as ``"64MiB"``, in bytes.

    Examples
    --------
    >>> get_bytes("arena") == 64 << 20
    True
    """
    return int(parse_bytes(get(name)))


def get_seconds(name: str) -> float:
    """A setting such as ``"60s"``, in seconds."""
    return float(parse_timedelta(get(name)))


def encryption_required() -> bool:
    """Whether Dask's configuration requires that everything is encrypted."""
    return bool(dask.config.get("distributed.comm.require-encryption", False))
