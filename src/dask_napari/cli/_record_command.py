"""``dask-napari record``: a viewer without a window, which writes what arrives into a record."""

from __future__ import annotations

import importlib
import signal
from pathlib import Path
from typing import Final

import click

from dask_napari.cli._listening import listening_options, print_addresses, receiver_options
from dask_napari.cli._output import fail, failing, log_to_terminal, printable
from dask_napari.stream.shm import janitor
from dask_napari.system import process_limits

PATIENCE: Final = 5.0
"""Seconds without any sink after which a computation is done; a restart of all workers is over."""


def require_zarr() -> None:
    """End the command with the remedy if zarr is not installed."""
    try:
        importlib.import_module("zarr")
    except ImportError:
        raise fail("records need zarr: pip install 'dask-napari[record]'") from None


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@listening_options
@click.option("--append", is_flag=True, help="Go on with an existing record, also after a crash.")
@click.option(
    "--overwrite", is_flag=True, help="Remove an existing record; nothing else is ever removed."
)
@click.option(
    "--until-done",
    is_flag=True,
    help="End when sinks have come and all are gone for five seconds.",
)
def record(
    path: Path,
    listen: tuple[str, ...],
    security_file: Path | None,
    insecure: bool,
    append: bool,
    overwrite: bool,
    until_done: bool,
) -> None:
    """Write what the sinks of any cluster send here into the OME-Zarr PATH, until Ctrl-C.

    It needs neither napari nor a display, and may stand beside a viewer, with a sink of its own:
    client.register_plugin(NapariSink("tcp://host:port", taps=[...], name="record")). Look at what
    it wrote with dask-napari replay, or its images with any reader of OME-Zarr.
    """
    if append and overwrite:
        raise fail("either --append or --overwrite, not both", code=2)
    require_zarr()
    from dask_napari.record import Recorder

    janitor.sweep()
    process_limits.raise_descriptor_limit()
    log_to_terminal()
    addresses, keys = receiver_options(listen, security_file, insecure)
    with failing(ValueError, OSError):
        recorder = Recorder(path, addresses, **keys, append=append, overwrite=overwrite)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: recorder.ended.set())
    with recorder:
        print_addresses(recorder.receiver)
        click.echo(f"recording into {path}; Ctrl-C ends it", err=True)
        recorder.run(until_done=until_done, patience=PATIENCE)
    click.echo(f"{len(recorder.store)} items in {path}", err=True)
    ledger = printable(recorder.receiver.ledger())
    click.echo(ledger.replace(" shown", " recorded"), err=True)
