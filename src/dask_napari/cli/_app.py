"""The commands, and what their exit codes mean."""

from __future__ import annotations

from typing import Annotated

import typer

from dask_napari._version import __version__
from dask_napari.cli import (
    _demo_command,
    _doctor_command,
    _janitor_command,
    _record_command,
    _replay_command,
    _view_command,
)

app = typer.Typer(
    name="dask-napari",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="See a Dask computation in napari while it runs.",
    epilog="Exit codes: 0 all is well, 1 a problem was found or something failed, 2 wrong usage.",
)
app.command()(_view_command.view)
app.command()(_record_command.record)
app.command()(_replay_command.replay)
app.command()(_demo_command.demo)
app.command()(_doctor_command.doctor)
app.command()(_janitor_command.janitor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dask-napari {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()
