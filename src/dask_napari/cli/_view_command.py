"""``dask-napari view``: a viewer that waits for clusters."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from dask_napari import config
from dask_napari.cli._listening import Insecure, Listen, SecurityFile, failed, listening, say


def view(
    listen: Listen = None,
    security_file: SecurityFile = None,
    insecure: Insecure = False,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Pictures kept in memory, such as 4GiB, a share of what is free, such as 0.5, or "
            "none for no limit; others go to disk. [default: from the configuration, 0.5]"
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the window.")] = "Dask live",
) -> None:
    """Open napari and show what the sinks of any cluster send here.

    On the cluster: `client.register_plugin(NapariSink("tcp://host:port", taps=[...]))`.
    """
    console = Console(stderr=True)
    try:
        limit = config.get_memory(memory)
    except ValueError as error:
        raise failed(console, error) from None
    where = listening(listen, security_file, insecure, console)
    try:
        from dask_napari.viewer.app import run
    except ImportError as error:
        console.print(f"[red]napari is not usable:[/red] {error}")
        console.print("Install it: pip install 'dask-napari\\[all]'")
        raise typer.Exit(1) from None
    try:
        run(
            where.addresses,
            **where.options,
            title=title,
            memory=limit,
            on_ready=partial(say, console),
        )
    except (ValueError, OSError) as error:
        raise failed(console, error) from None
