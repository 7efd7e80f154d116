"""``dask-napari replay``: show what was recorded."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from dask_napari.cli._listening import failed
from dask_napari.cli._record_command import require_zarr

if TYPE_CHECKING:
    from dask_napari.record import Record
    from dask_napari.stream.auth import Security


def replay(
    path: Annotated[Path, typer.Argument(help="A record that `dask-napari record` made.")],
    address: Annotated[
        list[str] | None,
        typer.Option(
            help="Address of a viewer that is open; may be given several times, the best first. "
            "Without it a viewer is opened."
        ),
    ] = None,
    security_file: Annotated[
        Path | None,
        typer.Option(help="Keys of that viewer; those on this host are found without."),
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the window that is opened.")] = "",
) -> None:
    """Send a record to a viewer, as the workers did: the same layers, positions and colours."""
    console = Console(stderr=True)
    require_zarr(console)
    from dask_napari.record import Record
    from dask_napari.stream.auth import Security

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        found = Record(path)
        security = Security.load(security_file) if security_file is not None else None
    except (ValueError, OSError) as error:
        raise failed(console, error) from None
    if address:
        _send(console, found, address, security)
    else:
        _open(console, found, title or path.name)


def _send(console: Console, found: Record, addresses: list[str], security: Security | None) -> None:
    from dask_napari.record import replay as send

    with Progress(console=console) as progress:
        bar = progress.add_task("sending", total=len(found))
        sent = send(
            found,
            addresses,
            security=security,
            progress=lambda number: progress.update(bar, completed=number),
        )
    console.print(f"{sent} of {len(found)} items sent", highlight=False)
    if sent < len(found):
        raise typer.Exit(1)


def _open(console: Console, found: Record, title: str) -> None:
    from dask_napari import config
    from dask_napari.live import ViewerFailed, ViewerProcess
    from dask_napari.record import replay as send
    from dask_napari.stream.auth import Security
    from dask_napari.stream.receive import ANY_IPC

    security = Security.generate(encrypt=False)
    try:
        viewer = ViewerProcess(
            [ANY_IPC],
            security=security,
            title=title,
            timeout=config.get_seconds("viewer-timeout"),
            memory=config.get_memory(None),
        )
    except (ViewerFailed, ValueError) as error:
        raise failed(console, error) from None
    try:
        sent = send(
            found,
            viewer.addresses,
            security=security.client(),
            going_on=lambda: viewer.running,
        )
        console.print(f"{sent} of {len(found)} items shown; close the window to end")
        viewer.wait()
    except KeyboardInterrupt:
        pass
    finally:
        viewer.close()
