"""The commands, and the meaning of their exit codes."""

from __future__ import annotations

import click

from dask_napari._version import __version__
from dask_napari.cli._demo_command import demo
from dask_napari.cli._doctor_command import doctor
from dask_napari.cli._fiji_command import fiji
from dask_napari.cli._janitor_command import janitor
from dask_napari.cli._record_command import record
from dask_napari.cli._replay_command import replay
from dask_napari.cli._status_command import status
from dask_napari.cli._view_command import view


@click.group(
    epilog="Exit codes: 0 all is well, 1 a problem was found or something failed, 2 wrong usage.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="dask-napari %(version)s")
def main() -> None:
    """See a Dask computation in napari while it runs."""


for _command in (view, fiji, record, replay, status, demo, doctor, janitor):
    main.add_command(_command)
