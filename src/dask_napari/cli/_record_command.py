"""``dask-napari record``: a viewer without a window, which writes down what arrives."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dask_napari.cli._listening import Insecure, Listen, SecurityFile, failed, listening, say
from dask_napari.stream.shm import janitor
from dask_napari.system import descriptors

PATIENCE = 5.0
"""Seconds without any sink after which a computation is done; a restart of all workers is over."""


def require_zarr(console: Console) -> None:
    """End with what to install, if it is not."""
    try:
        import zarr  # noqa: F401
    except ImportError:
        console.print("Records need zarr: pip install 'dask-napari[record]'", markup=False)
        raise typer.Exit(1) from None


def record(
    path: Annotated[Path, typer.Argument(help="The record, an OME-Zarr: `RUN.zarr`.")],
    listen: Listen = None,
    security_file: SecurityFile = None,
    insecure: Insecure = False,
    append: Annotated[
        bool, typer.Option(help="Go on with a record that is there, also after a crash.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option(help="Remove a record that is there; nothing else is ever removed.")
    ] = False,
    until_done: Annotated[
        bool, typer.Option(help="End when sinks have come and all are gone for five seconds.")
    ] = False,
) -> None:
    """Write what the sinks of any cluster send here into an OME-Zarr, until Ctrl-C.

    It needs neither napari nor a display, and may stand beside a viewer, with a sink of its own:
    `client.register_plugin(NapariSink("tcp://host:port", taps=[...], name="record"))`. Look at what
    it wrote with `dask-napari replay`, or its images with any reader of OME-Zarr.
    """
    console = Console(stderr=True)
    if append and overwrite:
        console.print("Either --append or --overwrite, not both.")
        raise typer.Exit(2)
    require_zarr(console)
    from dask_napari.record import Recorder

    janitor.sweep()
    descriptors.raise_limit()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    where = listening(listen, security_file, insecure, console)
    try:
        recorder = Recorder(
            path, where.addresses, **where.options, append=append, overwrite=overwrite
        )
    except (ValueError, OSError) as error:
        raise failed(console, error) from None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: recorder.ended.set())
    with recorder:
        say(console, recorder.receiver)
        console.print(f"recording into [bold]{path}[/bold]; Ctrl-C ends it", highlight=False)
        recorder.run(until_done=until_done, patience=PATIENCE)
    console.print(f"{len(recorder.store)} items in {path}", highlight=False)
    console.print(str(recorder.receiver.ledger()).replace(" shown", " recorded"), highlight=False)
