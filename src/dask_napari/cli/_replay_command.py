"""``dask-napari replay``: send a record to a viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dask_napari.cli._output import failing, log_to_terminal
from dask_napari.cli._record_command import require_zarr

if TYPE_CHECKING:
    from dask_napari.record import Record


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--address",
    multiple=True,
    help="Address of an open viewer; may be given several times, the best first. Without it a "
    "viewer is opened.",
)
@click.option(
    "--security-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keys of that viewer; those on this host are found without.",
)
@click.option(
    "--insecure", is_flag=True, help="Send without keys, too, where none are given or found."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.0),
    default=30.0,
    show_default=True,
    help="Seconds without an answer from the viewer at --address after which the command fails.",
)
@click.option("--title", default="", help="Title of the window that is opened.")
def replay(
    path: Path,
    address: tuple[str, ...],
    security_file: Path | None,
    insecure: bool,
    timeout: float,
    title: str,
) -> None:
    """Send the record PATH to a viewer as workers did: same layers, positions and colours."""
    require_zarr()
    from dask_napari.record import Record
    from dask_napari.stream.auth import Security

    log_to_terminal()
    with failing(ValueError, OSError):
        record = Record(path)
        security = Security.load(security_file) if security_file is not None else None
    if record.unreadable:
        click.echo(f"{record.unreadable} lines of the journal cannot be read", err=True)
    if address:
        _send_to(address, record, timeout=timeout, security=security, insecure=insecure)
    else:
        _show_in_new_viewer(record, title or path.name)


def _send_to(addresses: tuple[str, ...], record: Record, **options: Any) -> None:
    from dask_napari.record import replay as send

    with (
        failing(ValueError, TimeoutError),
        click.progressbar(length=len(record), label="sending") as bar,
    ):
        sent = send(
            record,
            addresses,
            progress=lambda number: bar.update(number - bar.pos),
            **options,
        )
    click.echo(f"{sent} of {len(record)} items sent", err=True)
    if sent < len(record):
        raise click.exceptions.Exit(1)


def _show_in_new_viewer(record: Record, title: str) -> None:
    from dask_napari import config
    from dask_napari.live import ViewerFailed, ViewerProcess
    from dask_napari.record import replay as send
    from dask_napari.stream.auth import Security
    from dask_napari.stream.receive import ANY_IPC

    security = Security.generate(encrypt=False)
    with failing(ViewerFailed, ValueError):
        viewer = ViewerProcess(
            [ANY_IPC],
            security=security,
            title=title,
            timeout=config.get_seconds("viewer-timeout"),
            memory=config.get_memory(None),
        )
    try:
        with failing(TimeoutError):
            sent = send(
                record,
                viewer.addresses,
                security=security.client(),
                going_on=lambda: viewer.running,
            )
        click.echo(f"{sent} of {len(record)} items shown; close the window to end", err=True)
        viewer.wait()
    except KeyboardInterrupt:
        pass
    finally:
        viewer.close()
