"""The option ``--scheduler``: a cluster that is attached to the viewer when its window is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dask_napari.cli._listening import load_keys, print_addresses
from dask_napari.cli._output import failing, printable
from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Receiver

if TYPE_CHECKING:
    from dask_napari.live import ClusterAttachment


def attach_cluster(
    scheduler: str, listen: Sequence[str], security_file: Path | None, at_end: ExitStack
) -> tuple[list[str], dict[str, Any], Callable[[Receiver], None]]:
    """Connect to a scheduler; return addresses and key options of a receiver for its workers.

    Also a function of the receiver, for when the window is there. The cluster is left at the end.
    """
    from dask_napari.live import ClusterAttachment  # takes a second, for Dask

    with failing(ValueError, OSError):
        cluster = at_end.enter_context(closing(ClusterAttachment(scheduler)))
        endpoint = cluster.endpoint(listen)
        security = load_keys(security_file) or endpoint.security

    def attach(receiver: Receiver) -> None:
        print_addresses(receiver)
        told = endpoint.told(receiver.addresses)
        arguments = cluster, receiver.addresses, told, security
        threading.Thread(target=_stream, args=arguments, daemon=True).start()

    return [*endpoint.addresses], {"security": security, "insecure": False}, attach


def _stream(
    cluster: ClusterAttachment, viewer: Sequence[str], told: Sequence[str], security: Security
) -> None:
    try:
        cluster.stream_to(viewer, told, security)
    except Exception as error:  # of a cluster that is gone meanwhile; the window stays
        click.echo(printable(f"the cluster is not attached: {error}"), err=True)
