"""Who may connect: keys, tokens, and rules for addresses."""

from __future__ import annotations

from dask_napari.stream.auth._addresses import (
    host_and_port,
    is_local,
    reachable,
    taken,
)
from dask_napari.stream.auth._client_keys import ClientKeys, NoKeys, check_dialed
from dask_napari.stream.auth._security import Security, check_address, check_encrypted

__all__ = [
    "ClientKeys",
    "NoKeys",
    "Security",
    "check_address",
    "check_dialed",
    "check_encrypted",
    "host_and_port",
    "is_local",
    "reachable",
    "taken",
]
