"""Settings, in Dask's way: ``dask_napari.yaml``, ``dask.config`` and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import dask.config
import psutil
import yaml
from dask.utils import parse_bytes, parse_timedelta

LEAST_MEMORY: Final = 64 << 20
"""Bytes; below, a viewer would go to disk for every picture that it shows."""

CGROUP_FILES: Final = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Where a container's limit is, and what it uses: versions 2 and 1 of control groups."""

DEFAULTS = Path(__file__).with_name("dask_napari.yaml")

dask.config.ensure_file(source=str(DEFAULTS))
_DEFAULTS: Final[dict[str, Any]] = yaml.safe_load(DEFAULTS.read_text())
dask.config.update_defaults(_DEFAULTS)


def get(name: str) -> Any:
    """Return a setting by its name under ``dask-napari``.

    >>> get("transport")
    'auto'
    """
    return dask.config.get(f"dask-napari.{name}")


def get_bytes(name: str) -> int:
    """Return a setting such as ``"64MiB"``, in bytes.

    >>> get_bytes("arena") == 64 << 20
    True
    """
    return bytes_of(name, get(name))


def default(name: str) -> Any:
    """Return a setting as it is without anything set.

    >>> default("arena")
    '64MiB'
    """
    return _DEFAULTS["dask-napari"][name]


def bytes_of(name: str, value: Any) -> int:
    """Return the bytes that the value of a setting means; ValueError if it is not a size.

    >>> bytes_of("arena", "2 MB")
    2000000
    """
    try:
        nbytes = int(parse_bytes(value))
    except (ValueError, TypeError, AttributeError, OverflowError):
        nbytes = -1
    if nbytes < 0:
        raise ValueError(f"dask-napari.{name}={value!r} is not a size; write it as in '64MiB'")
    return nbytes


def get_memory(value: int | float | str | None = None) -> int | None:
    """Return the bytes of pictures that a viewer on this host keeps in memory; None for no limit.

    The value is in bytes, a text such as ``"4GiB"``, a share (above 0, at most 1) of the memory
    that is available now, or ``"none"``; without one, the setting ``memory`` counts. Raises
    ValueError for other values, and for less than :data:`LEAST_MEMORY`.

    >>> get_memory("4GiB") == 4 << 30, get_memory("none"), get_memory() > 0
    (True, None, True)
    """
    given = get("memory") if value is None else value
    if given is None or str(given).lower() == "none":
        return None
    try:
        number = float(given)
        if 0 < number <= 1:
            return max(LEAST_MEMORY, int(number * available_memory()))
        nbytes = int(number)
    except (ValueError, OverflowError):
        try:
            nbytes = int(parse_bytes(given))
        except (ValueError, OverflowError):
            nbytes = 0
    if nbytes < LEAST_MEMORY:
        least = f"{LEAST_MEMORY >> 20}MiB"
        raise ValueError(
            f"memory={given!r} is not usable; give at least {least}, such as '4GiB', a share of "
            "what is available, such as 0.5, or 'none' for no limit"
        )
    return nbytes


def available_memory() -> int:
    """Return the bytes that this process could still take, by host and control group."""
    available = int(psutil.virtual_memory().available)
    for limit, used in CGROUP_FILES:
        try:
            # "max" where there is no limit.
            left = int(Path(limit).read_text()) - int(Path(used).read_text())
        except (OSError, ValueError):
            continue
        available = min(available, max(left, 0))
    return available


def get_seconds(name: str) -> float:
    """Return a setting such as ``"60s"``, in seconds."""
    return seconds_of(name, get(name))


def seconds_of(name: str, value: Any) -> float:
    """Return the seconds that the value of a setting means; ValueError if it is not a time.

    >>> seconds_of("output-timeout", "1 minute")
    60.0
    """
    try:
        seconds = float(parse_timedelta(value))
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"dask-napari.{name}={value!r} is not a time; write it as in '60s'")
    return seconds


def encryption_required() -> bool:
    """Return whether Dask's configuration requires encryption."""
    return bool(dask.config.get("distributed.comm.require-encryption", False))
