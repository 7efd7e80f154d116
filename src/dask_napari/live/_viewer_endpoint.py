"""Endpoint of a watch's viewer: its addresses, and the keys of those who may connect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dask_napari import config
from dask_napari.live._cluster_requests import ClusterRequests
from dask_napari.live._dialed_addresses import hosts_to_tell, interfaces_to_use
from dask_napari.sink import dask_internals
from dask_napari.stream.auth import Security, beacon, check_address, check_encrypted, host_and_port
from dask_napari.stream.receive import ANY_IPC

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True, slots=True)
class ViewerEndpoint:
    """Addresses and keys that a viewer is started with, and that sinks and client reach it by.

    Workers are told ``advertised`` TCP addresses, or the viewer's own with ``hosts`` in the place
    of wildcards. ``insecure`` allows plain TCP that other hosts can reach.
    """

    addresses: tuple[str, ...]
    security: Security
    insecure: bool
    advertised: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @classmethod
    def for_client(
        cls,
        client: Client,
        listen: str | Iterable[str] | None,
        insecure: bool,
        advertise: str | Iterable[str] | None = None,
    ) -> ViewerEndpoint:
        """Return the endpoint that a user asks for, or else one that a cluster's workers can dial.

        Raises ValueError if an address is not usable, or Dask requires encryption and there would
        be none; ConnectionError if no worker can dial the viewer.
        """
        advertised = _addresses(advertise)
        for address in advertised:
            if host_and_port(address)[1] == "*":
                raise ValueError(f"advertise={address!r} has no port; give the one to dial")
        if advertised and listen is None:
            raise ValueError(
                "advertise= needs listen=, the address that the connections arrive at, such as "
                "listen='tcp://127.0.0.1:5577'"
            )
        requests = ClusterRequests(client)
        if listen is None:
            hosts = interfaces_to_use(requests)
            addresses = (ANY_IPC, *(beacon.with_host("tcp://:*", host) for host in hosts))
        else:
            addresses = _addresses(listen)
        required = dask_internals.requires_encryption(client) or config.encryption_required()
        if insecure and required:
            check_encrypted(addresses, None)
        # On this host, too: others who have an account here are kept out by the keys alone.
        security = Security.generate(encrypt=not insecure)
        for address in addresses:
            if address != ANY_IPC:
                check_address(address, security=security, insecure=insecure)
        told = () if listen is None else hosts_to_tell(requests, addresses, advertised)
        return cls(addresses, security, insecure, advertised, told)

    def told(self, bound: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses for workers of a viewer that listens at some addresses."""
        private = [address for address in bound if not address.startswith("tcp://")]
        if self.advertised:
            return (*private, *self.advertised)
        found: list[str] = []
        for address in bound:
            if address.startswith("tcp://"):
                wild = host_and_port(address)[0] in beacon.WILDCARDS and self.hosts
                hosts = self.hosts if wild else ()
                found += [beacon.with_host(address, host) for host in hosts] or [address]
        return (*private, *found)


def _addresses(given: str | Iterable[str] | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)
