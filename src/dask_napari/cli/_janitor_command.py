"""``dask-napari janitor``: list and sweep what dead owners have left."""

from __future__ import annotations

import click

from dask_napari.cli._output import print_table
from dask_napari.stream.shm import janitor as sweeper


@click.command()
@click.option("--sweep", is_flag=True, help="Remove what dead owners have left.")
def janitor(sweep: bool) -> None:
    """List the shared memory and socket directories of this user, and sweep what is left over.

    Exit code 1 says that something is left over.
    """
    if sweep:
        swept = sweeper.sweep()
        for leftover in swept:
            click.echo(f"removed {leftover.path}")
        click.echo(f"{len(swept)} removed")
        return
    found = sweeper.find()
    if not found:
        click.echo("Nothing there.")
        return
    print_table(
        ("path", "what", "MB", "age", "owner"),
        [
            (
                str(leftover.path),
                leftover.kind,
                f"{leftover.nbytes / 1e6:.1f}",
                f"{leftover.age:.0f} s",
                "alive" if leftover.alive else "dead",
            )
            for leftover in found
        ],
    )
    if dead := sum(not leftover.alive for leftover in found):
        click.echo(f"{dead} left over; remove with: dask-napari janitor --sweep")
        raise click.exceptions.Exit(1)
