"""Endpoint of a watch's viewer: its addresses, and the keys of those who may connect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dask_napari import config
from dask_napari.sink import dask_internals
from dask_napari.stream.auth import Security, check_address, check_encrypted, is_local
from dask_napari.stream.receive import ANY_IPC

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True, slots=True)
class ViewerEndpoint:
    """Addresses and keys that a viewer is started with, and that sinks and client reach it by.

    ``insecure`` allows plain TCP that other hosts can reach.
    """

    addresses: tuple[str, ...]
    security: Security
    insecure: bool

    @classmethod
    def for_client(
        cls, client: Client, listen: str | Iterable[str] | None, insecure: bool
    ) -> ViewerEndpoint:
        """Return the endpoint that a user asks for, or else one that a cluster's workers can reach.

        Raises ValueError if an address is not usable, or Dask requires encryption and there would
        be none.
        """
        if listen is None:
            addresses = _reachable_addresses(client)
        else:
            addresses = (listen,) if isinstance(listen, str) else tuple(listen)
        required = dask_internals.requires_encryption(client) or config.encryption_required()
        if insecure and required:
            check_encrypted(addresses, None)
        # On this host, too: others who have an account here are kept out by the keys alone.
        security = Security.generate(encrypt=not insecure)
        for address in addresses:
            if address != ANY_IPC:
                check_address(address, security=security, insecure=insecure)
        return cls(addresses, security, insecure)


def _reachable_addresses(client: Client) -> tuple[str, ...]:
    """Return addresses on which the workers can reach a viewer on this host."""
    host = dask_internals.scheduler_host(client)
    same_host = not host or is_local(f"tcp://{host}:1")
    return ANY_IPC, f"tcp://{'127.0.0.1' if same_host else dask_internals.own_host(host)}:*"
