"""Watched arrays: a task in the graph passes each chunk on, and shows it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, TypeVar, Unpack

from dask_napari.model import contain
from dask_napari.placement import is_array, is_dataset, is_labelled, title_of, variables
from dask_napari.sink._portable import PortableFunction
from dask_napari.sink._worker_sinks import show_chunk
from dask_napari.tap import Tap, TapOptions

logger = logging.getLogger(__name__)

T = TypeVar("T")


def tapped(collection: Any, **options: Unpack[TapOptions]) -> tuple[Any, list[Tap]]:
    """Return a collection equal to the given one that streams its chunks, and the taps for it.

    Nothing is computed, and equal collections give equal graphs. For a sink of one's own;
    :meth:`dask_napari.Live.watch` does the rest.

    Parameters
    ----------
    collection : dask.array.Array, xarray.DataArray or xarray.Dataset
        Collection to stream; of a ``Dataset`` each variable that can be shown.
    **options
        Parameters of :class:`~dask_napari.Tap`. There is a tap a layer; nothing is streamed until
        they are active.

    Examples
    --------
    >>> import dask.array as da
    >>> zeros = da.zeros((10, 10), chunks=5, name="zeros")
    >>> streaming, (tap,) = tapped(zeros, kind="labels")
    >>> streaming, tap.layer
    (dask.array<watch-zeros, shape=(10, 10), dtype=float64, chunksize=(5, 5), ...>, 'zeros')
    """
    if is_dataset(collection):
        pairs = {
            name: tapped(array, **variable_options(name, options))
            for name, array in variables(collection).items()
        }
        taps = [tap for _, found in pairs.values() for tap in found]
        return collection.assign({name: array for name, (array, _) in pairs.items()}), taps
    if not is_array(collection):
        raise TypeError(
            f"a {type(collection).__name__} has no chunks; give a dask array, or a DataArray or"
            " Dataset of xarray around some"
        )
    Tap(collection, **options)  # refuses what cannot be shown, by the name that the user knows
    array = collection.data if is_labelled(collection) else collection
    passed = array.map_blocks(
        PortableFunction(stream_chunk),
        source=array.name,
        token=f"watch-{title_of(array)}",
        dtype=array.dtype,
        meta=array._meta,
    )
    streaming = collection.copy(data=passed) if is_labelled(collection) else passed
    options.setdefault("layer", title_of(collection))
    tap = Tap(streaming, **options)
    return streaming, [replace(tap, select=replace(tap.select, source=array.name))]


def variable_options(name: str, options: TapOptions) -> TapOptions:
    """Return the options of the tap on one variable: ``layer`` begins the names of all layers."""
    layer = options.get("layer")
    return {**options, "layer": f"{layer} {name}" if layer else name}


def stream_chunk(block: T, source: str = "", block_id: tuple[int, ...] | None = None) -> T:
    """Return a chunk as it came, and stream it where a viewer watches the array called ``source``.

    In a graph it is portable: workers and a scheduler without this package pass chunks on.
    ``map_blocks`` gives ``block_id``, the number of the chunk along each axis.
    """
    if block_id is not None:
        try:
            show_chunk(source, block_id, block)
        except Exception as error:
            logger.exception("a chunk of %s is not shown; the task goes on", source)
            contain(error)
    return block
