"""The commands, and what their exit codes mean."""

from __future__ import annotations

from typing import Annotated

import typer

from dask_napari.cli import demo, doctor, janitor, record, replay, view
from dask_napari.version import __version__

app = typer.Typer(
    name="dask-napari",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="See a Dask computation in napari while it runs.",
    epilog="Exit codes: 0 all is well, 1 a problem was found or something failed, 2 wrong usage.",
)
app.command()(view.view)
app.command()(record.record)
app.command()(replay.replay)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(janitor.janitor)


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
