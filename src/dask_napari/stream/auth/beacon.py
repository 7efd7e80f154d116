"""Which addresses of this host others can dial, found by having them try."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import selectors
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import psutil

from dask_napari.stream.auth._addresses import host_and_port

DIAL_TIMEOUT: Final = 1.0
"""Seconds for a connection; firewalls that say nothing must not cost a person more."""

GREETING: Final = b"\xff"
"""The first byte that ZeroMQ sends to whoever connects."""

LOOK_INTERVAL: Final = 0.1
"""Seconds between looks at whether a beacon is closed."""

WILDCARDS: Final = frozenset({"0.0.0.0", "*", "::"})


class Beacon:
    """Send a token to whoever connects to some addresses, for as long as it is open.

    A token because another host may have that address, too. ``addresses`` maps those that were
    given to those with their ports; ones that cannot be listened on are left out.
    """

    def __init__(self, listen: Iterable[str]) -> None:
        self.token: bytes = secrets.token_hex(16).encode()
        self.addresses: Mapping[str, str] = {}
        self._closed = threading.Event()
        self._selector = selectors.DefaultSelector()
        bound: dict[str, str] = {}
        for address in listen:
            with contextlib.suppress(OSError):
                host, port = host_and_port(address)
                where = ("" if host in WILDCARDS else host, int(port) if port != "*" else 0)
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                server = socket.create_server(where, family=family)
                server.setblocking(False)
                self._selector.register(server, selectors.EVENT_READ)
                bound[address] = with_host(f"tcp://{host}:{server.getsockname()[1]}", host)
        self.addresses = bound
        self._thread = threading.Thread(target=self._answer, name="dask-napari-beacon", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Beacon at {', '.join(self.addresses.values()) or 'no address'}>"

    def _answer(self) -> None:
        while not self._closed.is_set():
            for key, _ in self._selector.select(LOOK_INTERVAL):
                with contextlib.suppress(OSError):
                    connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    with connection:
                        connection.sendall(self.token)

    def __enter__(self) -> Beacon:
        return self

    def __exit__(self, *exc: object) -> None:
        self._closed.set()
        self._thread.join()
        for key in [*self._selector.get_map().values()]:
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()


async def dial(addresses: Sequence[str], token: bytes) -> list[bool]:
    """Return for each address whether a connection to it answers with a token."""
    return await asyncio.gather(*(_answers(address, token) for address in addresses))


async def _answers(address: str, token: bytes) -> bool:
    host, port = host_and_port(address)
    writer = None
    try:
        async with asyncio.timeout(DIAL_TIMEOUT):
            reader, writer = await asyncio.open_connection(host, int(port))
            return await reader.readexactly(len(token)) == token
    except (OSError, ValueError, EOFError):  # TimeoutError is an OSError
        return False
    finally:
        if writer is not None:
            writer.close()


def with_host(address: str, host: str) -> str:
    """Return an address with another host.

    >>> with_host("tcp://0.0.0.0:5577", "10.0.0.7")
    'tcp://10.0.0.7:5577'
    """
    port = address.rpartition(":")[2]
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def host_addresses() -> list[str]:
    """Return the IPv4 addresses of this host's interfaces, without the loopback's."""
    state = psutil.net_if_stats()
    return [
        entry.address
        for name, entries in psutil.net_if_addrs().items()
        for entry in entries
        if entry.family == socket.AF_INET
        and not entry.address.startswith("127.")
        and (name not in state or state[name].isup)
    ]
