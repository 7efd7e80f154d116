"""Rows of a table in the axes of the viewer, repeated along the axes that they lack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas._axes import CanvasAxes
from dask_napari.canvas.elements._blocks import Rows, Span, consecutive
from dask_napari.canvas.elements._element_table import ElementTable

ViewIndices = Sequence[float | None]
"""Index on each axis of the viewer at which the viewer looks; None for all of an axis."""

MAX_REPEATED: Final = 2_000_000
"""Rows that repetition may make; more would take the memory, and nobody could see them."""


def gather(
    table: ElementTable,
    axes: CanvasAxes,
    source: npt.NDArray[np.intp],
    indices: ViewIndices,
    spans: list[Span],
) -> Rows:
    """Return rows of a table as they are seen.

    ``source`` numbers the rows, ``spans`` are their blocks, empty if nobody asks for them.
    """
    extras = [span.extra for span in spans if span.extra is not None]
    n_sliders = len(axes)
    coordinates = np.empty((len(source), len(axes.labels)))
    mask = np.ones(len(source), bool)
    for axis, name in enumerate(axes.names):
        coordinates[:, axis] = table.on_slider(axes, name, source)
        index = indices[axis]
        if index is not None:
            # A row between two steps is seen at the nearer one.
            mask &= ~(np.abs(coordinates[:, axis] - index) > 0.5)
    if not mask.all():
        source, coordinates, spans = source[mask], coordinates[mask], []
    coordinates[:, n_sliders:] = table.in_space(len(axes.spatial), source)
    lengths = [*axes.shape, *axes.extent]
    for axis, length in enumerate(lengths):
        lacking = np.isnan(coordinates[:, axis])
        if not lacking.any():
            continue
        index = indices[axis]
        times = np.where(lacking, length, 1)
        if index is not None or times.sum() > MAX_REPEATED:
            coordinates[lacking, axis] = 0.0 if index is None else index
            continue
        repeated = np.repeat(np.arange(len(source)), times)
        steps = np.arange(len(repeated)) - np.repeat(np.cumsum(times) - times, times)
        coordinates, source = coordinates[repeated], source[repeated]
        coordinates[lacking[repeated], axis] = steps[lacking[repeated]]
        spans = []
    columns = {name: table.features[name][source] for name in table.features.names}
    return Rows(coordinates, columns, source, consecutive(spans), extras)
