"""Start the sink with a worker: ``dask worker --preload dask_napari.preload``.

The address of the viewer comes from the Dask configuration (``dask-napari.address``, or
``DASK_DASK_NAPARI__ADDRESS`` in the environment) or from an option of the preload module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dask_napari.sink import NapariSink

if TYPE_CHECKING:
    from distributed import Worker


@click.command()
@click.option("--napari-address", default=None, help="Where the viewer listens, tcp://host:port.")
async def dask_setup(worker: Worker, napari_address: str | None) -> None:
    """Add the sink to a worker that starts."""
    await worker.plugin_add(NapariSink(napari_address))
