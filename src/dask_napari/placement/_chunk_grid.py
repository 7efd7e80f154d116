"""Chunk grids: geometry of dask arrays, by which the key of a chunk tells its place."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dask_napari.model import Calibration, Coordinate
from dask_napari.placement._named_axes import Split
from dask_napari.placement._placements import Placement


@dataclass(frozen=True)
class ChunkGrid:
    """Geometry of a dask array: name, chunk sizes, axes and coordinates; small, to travel in a tap.

    Axes in ``split`` become axes of the position and need a name. ``calibration`` is that of the
    axes that are neither split nor colour, with the ``translate`` of the whole array. ``source``
    names the array that this one passes on, if the tap is in the graph; see
    :meth:`~dask_napari.Live.watch`.
    """

    name: str
    sizes: tuple[tuple[int, ...], ...]
    dims: tuple[str, ...] = ()
    split: Split = ()
    position: tuple[tuple[str, Coordinate], ...] = ()
    calibration: Calibration = field(default_factory=Calibration)
    rgb: bool = False
    source: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the cached properties.
        return type(self), tuple(getattr(self, entry.name) for entry in dataclasses.fields(self))

    @property
    def ndim(self) -> int:
        """Number of axes of the array."""
        return len(self.sizes)

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(map(sum, self.sizes))

    @functools.cached_property
    def spatial(self) -> tuple[int, ...]:
        """The axes that are neither split nor colour."""
        split = dict(self.split)
        return tuple(axis for axis in range(self.ndim - self.rgb) if axis not in split)

    @functools.cached_property
    def array_shape(self) -> tuple[int, ...]:
        """Shape along the spatial axes."""
        return tuple(self.shape[axis] for axis in self.spatial)

    @property
    def count(self) -> int:
        """Number of chunks that are not empty."""
        return math.prod(sum(size > 0 for size in sizes) for sizes in self.sizes)

    @property
    def items(self) -> int:
        """Number of items that the chunks make."""
        along = dict(self.split)
        return math.prod(
            sum(size if axis in along else size > 0 for size in sizes)
            for axis, sizes in enumerate(self.sizes)
        )

    @functools.cached_property
    def _starts(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(itertools.accumulate(sizes, initial=0)) for sizes in self.sizes)

    def __contains__(self, key: object) -> bool:
        """Return whether a task of this key makes a chunk that is not empty."""
        if not isinstance(key, tuple) or len(key) != self.ndim + 1 or key[0] != self.name:
            return False
        # Dask has keys such as ("getitem-1f3a", 0.9, 0) for the rims of chunks.
        return all(
            isinstance(number, int | np.integer) and 0 <= number < len(sizes) and sizes[number] > 0
            for number, sizes in zip(key[1:], self.sizes, strict=True)
        )

    def placement(self, key: tuple[Any, ...]) -> Placement:
        """Return the place of the chunk that the task of a key makes."""
        numbers = key[1:]
        starts = [starts[n] for n, starts in zip(numbers, self._starts, strict=True)]
        shape = tuple(sizes[n] for n, sizes in zip(numbers, self.sizes, strict=True))
        return Placement(
            dict(self.position),
            tuple(starts[axis] for axis in self.spatial),
            self.array_shape,
            shape,
            tuple(
                (axis, self.dims[axis], coordinates[starts[axis] : starts[axis] + shape[axis]])
                for axis, coordinates in self.split
            ),
        )
