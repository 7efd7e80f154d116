"""Show a value from inside a running task: ``dask_napari.show``, whose name no module may have."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Unpack

from dask_napari.model import contain
from dask_napari.placement import placement_of_slices
from dask_napari.sink._worker_sinks import show_in_sinks
from dask_napari.tap import ShowOptions, Tap

logger = logging.getLogger(__name__)


def show(
    value: object,
    *,
    layer: str,
    at: Mapping[str, Any] | None = None,
    **options: Unpack[ShowOptions],
) -> bool:
    """Show a value of the running task in the viewers of its worker.

    Nothing needs to be tapped. The value is copied, so that the task may go on writing to it; it
    is sent later, by another thread. Where there is no viewer, or no worker, nothing happens:
    the call may stay in code that runs without.

    Parameters
    ----------
    value : object
        An array, or whatever else a tap can show as this kind. What cannot be shown is counted
        in the ledger; the task goes on.
    layer : str
        The layer's name. What a tap on this layer says of it wins.
    at : mapping, optional
        The position, such as ``{"well": "A01", "t": 3}``; with slices for a tile of a larger
        image, see :class:`~dask_napari.Tap`. Without it the scalar coordinates of an
        ``xarray.DataArray`` count, or else each task has one place on the layer: what it shows
        later replaces what it showed before. In threads of your own, say where.
    **options
        ``kind``, ``axes``, ``scale``, ``units``, ``translate``, ``policy``, ``rgb``, ``options``,
        ``sizes``, ``fill``, ``contrast`` and ``columns`` of :class:`~dask_napari.Tap`. Of ``axes``,
        ``options``, ``sizes``, ``fill`` and ``contrast`` the first call on a worker counts.

    Returns
    -------
    bool
        Whether a viewer's sink took it. False is no error: there is none, it has no room, or a
        process calls that the task has forked.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used, viewer or not.

    Examples
    --------
    >>> import numpy as np
    >>> def descend(image, steps=3):
    ...     for step in range(steps):
    ...         image = image / 2
    ...         show(image, layer="steps", at={"step": step})
    ...     return image
    >>> descend(np.ones((2, 2)))[0, 0]
    np.float64(0.125)
    """
    tap = Tap("show", layer=layer, **options)
    if layer is None:  # a tap would be called after its task
        raise TypeError("layer=None is not a layer name; give some text")
    where = None if at is None else placement_of_slices(at)
    try:
        return show_in_sinks(value, tap, where)
    except Exception as error:
        # The task must not end by an error of ours. Sinks count their own errors.
        logger.exception("a value for layer %r could not be shown; the task goes on", layer)
        contain(error)
        return False
