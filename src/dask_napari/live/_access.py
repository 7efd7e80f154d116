"""Where the viewer of a watch listens, and who may connect to it."""

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
class Access:
    """What a viewer is told when it starts, and sinks and client need to reach it.

    Attributes
    ----------
    addresses : tuple of str
        For the viewer to listen on.
    security : Security
        Keys and token.
    insecure : bool
        Whether plain TCP that other hosts can reach is allowed.
    """

    addresses: tuple[str, ...]
    security: Security
    insecure: bool

    @classmethod
    def of(cls, client: Client, listen: str | Iterable[str] | None, insecure: bool) -> Access:
        """Return what the user says, or else what lets the workers of a client's cluster in.

        Parameters
        ----------
        client, listen, insecure
            See :func:`~dask_napari.watch`.

        Raises
        ------
        ValueError
            If an address is not usable, or Dask requires encryption and there would be none.
        """
        addresses = _listen(client, listen)
        if insecure and _requires_encryption(client):
            check_encrypted(addresses, None)
        # On this host, too: others who have an account here are kept out by the keys alone.
        security = Security.generate(encrypt=not insecure)
        for address in addresses:
            if address != ANY_IPC:
                check_address(address, security=security, insecure=insecure)
        return cls(addresses, security, insecure)


def check_client(client: object) -> None:
    """Refuse what is not a synchronous client with a cluster.

    Parameters
    ----------
    client : object
        What was given as one.
    """
    from distributed import Client

    if not isinstance(client, Client):
        raise TypeError(f"watch() needs a distributed.Client, not {type(client).__name__}")
    if client.asynchronous:
        raise TypeError(
            "watch() needs a synchronous client; make one with Client(address) beside the "
            "asynchronous one"
        )
    if client.status != "running":
        raise ValueError(f"the client is {client.status}; connect it to a cluster first")


def _listen(client: Client, listen: str | Iterable[str] | None) -> tuple[str, ...]:
    """Addresses for the viewer: the user's, or those through which the workers can reach it."""
    if listen is not None:
        return (listen,) if isinstance(listen, str) else tuple(listen)
    host = dask_internals.scheduler_host(client)
    if not host:
        return ANY_IPC, "tcp://127.0.0.1:*"
    own = "127.0.0.1" if is_local(f"tcp://{host}:1") else dask_internals.own_host(host)
    return ANY_IPC, f"tcp://{own}:*"


def _requires_encryption(client: Client) -> bool:
    return dask_internals.requires_encryption(client) or config.encryption_required()
