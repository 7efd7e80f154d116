"""``dask-napari view``: a viewer that waits for clusters."""

from __future__ import annotations

from pathlib import Path

import click

from dask_napari import config
from dask_napari.cli._listening import listening_options, print_addresses, receiver_options
from dask_napari.cli._output import fail, failing


@click.command()
@listening_options
@click.option(
    "--memory",
    metavar="SIZE",
    help="Pictures kept in memory, such as 4GiB, a share of what is free, such as 0.5, or none for "
    "no limit; others go to disk. [default: from the configuration, 0.5]",
)
@click.option("--title", default="Dask live", show_default=True, help="Title of the window.")
def view(
    listen: tuple[str, ...],
    security_file: Path | None,
    insecure: bool,
    memory: str | None,
    title: str,
) -> None:
    """Open napari and show what the sinks of any cluster send here.

    On the cluster: client.register_plugin(NapariSink("tcp://host:port", taps=[...])).
    """
    with failing(ValueError):
        limit = config.get_memory(memory)
    addresses, keys = receiver_options(listen, security_file, insecure)
    try:
        from dask_napari.viewer.app import run
    except ImportError as error:
        raise fail(
            f"napari is not usable: {error}\nInstall it: pip install 'dask-napari[all]'"
        ) from None
    with failing(ValueError, OSError):
        run(addresses, **keys, title=title, memory=limit, on_ready=print_addresses)
