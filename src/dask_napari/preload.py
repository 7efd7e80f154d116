"""Start the sink with a worker: ``dask worker --preload dask_napari.preload``.

The address of the viewer and the taps come from the Dask configuration (``dask-napari.address``
and ``dask-napari.taps``, or ``DASK_DASK_NAPARI__ADDRESS`` in the environment); the address also
from the option ``--napari-address`` of the preload module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dask_napari import config
from dask_napari.sink import NapariSink
from dask_napari.stream.auth import Security
from dask_napari.tap import Tap

if TYPE_CHECKING:
    from distributed import Worker


def sink_of_config(address: str | None = None) -> NapariSink:
    """Make the sink that the configuration describes.

    Raises ValueError or TypeError if there is no address, or a tap is not usable.
    """
    keys = config.get("security-file")
    sink = NapariSink(
        address,
        [Tap(**entry) for entry in config.get("taps") or ()],
        security=Security.load(keys) if keys else None,
    )
    sink.group = sink.name  # each worker makes its own, and all fill one run
    return sink


@click.command()
@click.option("--napari-address", default=None, help="Where the viewer listens, tcp://host:port.")
async def dask_setup(worker: Worker, napari_address: str | None) -> None:
    """Add the sink to a worker that starts."""
    await worker.plugin_add(plugin=sink_of_config(napari_address))
