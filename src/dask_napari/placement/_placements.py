"""Placements: positions of outputs, and of chunks in their arrays."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dask_napari.model import PIXEL_KINDS, Coordinate, Item, Position, Refusal


@dataclass(frozen=True, slots=True)
class Placement:
    """Place of an output: its position, and that of a chunk in its array.

    ``origin`` and ``array_shape`` are those of a chunk, one entry an axis that is neither split nor
    colour; ``shape`` is the chunk's, with these axes. Axes in ``split`` (number, name, coordinates)
    are axes of the position: the chunk becomes an item for each. ``leading`` allows axes in front
    of those of ``origin``.
    """

    position: Position = field(default_factory=dict)
    origin: tuple[int, ...] = ()
    array_shape: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    split: tuple[tuple[int, str, tuple[Coordinate, ...]], ...] = ()
    leading: bool = False

    def identity(self, key: object) -> Hashable:
        """Return the identity of the place: outputs of one identity replace each other."""
        if not self.position and not self.array_shape:
            return str(key)
        first = tuple(coordinates[0] for _, _, coordinates in self.split)
        return self.origin, first, frozenset(self.position.items())

    def positions(self) -> Iterator[Position]:
        """Yield the positions of all items that the output makes."""
        names = [name for _, name, _ in self.split]
        for coordinates in itertools.product(*(entry for _, _, entry in self.split)):
            yield {**self.position, **dict(zip(names, coordinates, strict=True))}

    def parts(self, value: Any) -> Iterator[tuple[Any, Position]]:
        """Yield the parts of an output with their positions, as views."""
        if self.shape:
            shape = tuple(getattr(value, "shape", ()))
            if (shape[-len(self.shape) :] if self.leading else shape) != self.shape:
                raise Refusal(
                    "chunk shape",
                    f"a chunk of shape {shape} does not fit its place, which is {self.shape};"
                    " the function that made it must keep the shape, or say chunks= to map_blocks",
                )
        if not self.split:
            yield value, self.position
            return
        axes = [axis for axis, _, _ in self.split]
        names = [name for _, name, _ in self.split]
        for numbered in itertools.product(*(enumerate(entry) for _, _, entry in self.split)):
            index: list[Any] = [slice(None)] * value.ndim
            for axis, (number, _) in zip(axes, numbered, strict=True):
                index[axis] = number
            coordinates = (coordinate for _, coordinate in numbered)
            yield (
                value[tuple(index)],
                {**self.position, **dict(zip(names, coordinates, strict=True))},
            )

    def settle(self, item: Item) -> None:
        """Write the origin and the array's shape into an item."""
        if not self.origin or item.kind not in PIXEL_KINDS:
            return
        spatial = item.data.ndim - item.rgb
        more = spatial - len(self.origin)
        if more < 0 or (more and not self.leading):
            raise Refusal(
                "chunk shape",
                f"a chunk with {spatial} spatial axes does not fit the origin {self.origin}; give"
                " one entry an axis",
            )
        item.amend(
            origin=(*(0,) * more, *self.origin),
            array_shape=(*item.data.shape[:more], *self.array_shape),
        )
