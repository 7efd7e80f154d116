"""The options of a publisher, checked once and handed down whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from dask_napari.stream.auth import Security, check_dialed

Transport = Literal["auto", "shared-memory", "inline"]
"""``auto``: by shared memory if a probe shows that memory is shared, else inline."""

OUTPUT_TIMEOUT: Final = 10.0
"""Seconds for other people's code to place one output or to read it as an array: time for a
gigabyte from a slow disk, and short enough that a person waits out a few outputs that hang."""


def check_transport(transport: str) -> None:
    """Refuse an unknown transport with a ValueError that names the known ones."""
    if transport not in get_args(Transport):
        raise ValueError(
            f"transport={transport!r} is unknown; use 'auto', 'shared-memory' or 'inline'"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherOptions:
    """Options of a publisher: addresses, transport, budgets; see :class:`Publisher`."""

    addresses: tuple[str, ...]
    name: str
    security: Security | None = None
    transport: Transport = "auto"
    arena_bytes: int = 64 << 20
    queue_bytes: int = 128 << 20
    insecure: bool = False
    output_timeout: float = OUTPUT_TIMEOUT
    on_new_viewer: Callable[[], None] | None = None
    on_connected: Callable[[], None] | None = None
    group: str = ""

    def __post_init__(self) -> None:
        check_transport(self.transport)
        if not self.addresses:
            raise ValueError("addresses is empty; give the address of a viewer, tcp://host:port")
        check_dialed(self.addresses, security=self.security, insecure=self.insecure)
