"""Keys of the connecting side: those it was given, or those that a viewer of its user has left.

Nothing is sent without a key: any user of this host may listen on a port of the loopback
interface, and ``/proc/net/tcp`` proves nothing: the port can change hands between that look and
the connection. Only keys and a socket in a private directory are proofs.
"""

from __future__ import annotations

from collections.abc import Iterable

from dask_napari.stream.auth import local_keys
from dask_napari.stream.auth._addresses import check_tcp, is_local, is_private
from dask_napari.stream.auth._security import Security

REMEDY = (
    "give security= the viewer's keys (dask-napari view --security-file keys.json, "
    "Security.load('keys.json.client')), or allow plain TCP with insecure=True (--insecure)"
)


class NoKeys(ValueError):
    """No keys are known for an address at which another user could listen."""


class ClientKeys:
    """Find the keys for each connection of a publisher or client.

    ``insecure`` allows connections without keys, until keys are found once: the viewer that had
    them may have been killed, and another user listen at its address.
    """

    def __init__(self, security: Security | None, *, insecure: bool) -> None:
        self._given = security
        self._insecure = insecure

    def __repr__(self) -> str:
        plain = ", plain allowed" if self._insecure else ""
        return f"<ClientKeys {'given' if self._given else 'looked for'}{plain}>"

    def for_address(self, address: str) -> Security | None:
        """Return the keys to connect to an address with; None for a plain connection.

        Raises :class:`NoKeys` if the connection would be plain, and may not be.
        """
        keys = self._given or local_keys.find(address)
        if keys is not None and keys.encrypted:
            self._insecure = False
        elif not (self._insecure or is_private(address)):
            raise NoKeys(
                f"no viewer of this user has left its keys for {address}, and another user could "
                f"listen there; start dask-napari view as this user, {REMEDY}"
            )
        return keys


def check_dialed(addresses: Iterable[str], *, security: Security | None, insecure: bool) -> None:
    """Refuse addresses that are not usable, or for which there can be no keys.

    Keys for this host may still be found when a viewer opens. Raises ValueError.
    """
    for address in addresses:
        if address.startswith("ipc://"):
            continue
        check_tcp(address)
        found_later = security is None and is_local(address)
        if not (insecure or found_later or (security is not None and security.encrypted)):
            raise ValueError(
                f"address {address!r} would be connected to without keys, and whoever listens "
                f"there would get all outputs; {REMEDY} on a network that you trust"
            )
