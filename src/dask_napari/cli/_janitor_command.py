"""``dask-napari janitor``: what dead owners have left."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dask_napari.stream.shm import janitor as sweeper


def janitor(
    sweep: Annotated[bool, typer.Option(help="Remove what dead owners have left.")] = False,
) -> None:
    """List the shared memory and socket directories of this user, and sweep what is left over.

    Exit code 1 says that something is left over.
    """
    console = Console()
    if sweep:
        swept = sweeper.sweep()
        for leftover in swept:
            console.print(f"removed {leftover.path}", highlight=False)
        console.print(f"{len(swept)} removed")
        return
    found = sweeper.find()
    if not found:
        console.print("Nothing there.")
        return
    table = Table("path", "what", "MB", "age", "owner")
    for leftover in found:
        table.add_row(
            str(leftover.path),
            leftover.kind,
            f"{leftover.nbytes / 1e6:.1f}",
            f"{leftover.age:.0f} s",
            "alive" if leftover.alive else "[red]dead[/red]",
        )
    console.print(table)
    dead = sum(not leftover.alive for leftover in found)
    if dead:
        console.print(f"{dead} left over; remove with: dask-napari janitor --sweep")
        raise typer.Exit(1)
