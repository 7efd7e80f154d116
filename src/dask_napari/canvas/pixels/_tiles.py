"""A tile: one block of a canvas, where it lies, and coarser copies of it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Held(Protocol):
    """An array in somebody's keeping: in memory, or where it can be read back from."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""

    def get(self) -> npt.NDArray[Any]:
        """Return the array, which must not be written to."""


class HeldInMemory:
    """An array that is kept as it is."""

    __slots__ = ("_array",)

    def __init__(self, array: npt.NDArray[Any], level: int = 0) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self._array.dtype

    def get(self) -> npt.NDArray[Any]:
        """Return the array."""
        return self._array


class Hold(Protocol):
    """Takes an array into keeping; ``level`` is above 0 for a coarser copy."""

    def __call__(self, array: npt.NDArray[Any], level: int = 0) -> Held:
        """Return what keeps it."""


Window = tuple[range, ...]
"""What is looked at along each spatial axis; steps are positive."""

Cut = tuple[tuple[slice, ...] | None, tuple[slice, ...]]
"""Where in a window, and from where in a tile, elements go; the first is None if it is all of the
window."""


class Tile:
    """A block and where it lies.

    Level ``k`` takes every ``2**k``-th element of the canvas along the last two spatial axes,
    counted from the corner of the canvas, not of the tile. So the levels of tiles join without
    seams wherever the tiles lie, and a label stays the label it is.

    Parameters
    ----------
    block : Held
        The spatial axes, then colour if there is one.
    start : tuple of int
        Where its first element lies, one entry a spatial axis of the block.
    hold : callable
        Takes coarser copies of the block into keeping.

    Examples
    --------
    >>> tile = Tile(HeldInMemory(np.arange(6).reshape(1, 6)), (0, 3))
    >>> tile.start_at(1), tile.at(1).tolist()  # columns 4, 6 and 8
    ((0, 2), [[1, 3, 5]])
    """

    __slots__ = (
        "_coarser",
        "_hold",
        "array_shape",
        "held",
        "limits",
        "shape",
        "stage",
        "start",
        "turn",
    )

    def __init__(
        self,
        block: Held,
        start: tuple[int, ...],
        hold: Hold = HeldInMemory,
    ) -> None:
        self.start = start
        self.shape: tuple[int, ...] = block.shape[: len(start)]
        self.turn = 0
        """How many came before it; tiles that overlap are drawn in this order."""
        self.array_shape: tuple[int, ...] = ()
        """Shape of the array that it is a chunk of."""
        self.stage: tuple[float, float] | None = None
        """Where it is by its own account."""
        self.limits: tuple[float, float] | None = None
        """Contrast limits that fit it, by the account of who put it here."""
        self.held = block
        self._hold = hold
        self._coarser: list[Held] = []

    @property
    def end(self) -> tuple[int, ...]:
        """Where it ends along each axis."""
        return tuple(at + n for at, n in zip(self.start, self.shape, strict=True))

    def move(self, start: tuple[int, ...]) -> None:
        """Let it lie somewhere else."""
        if start != self.start:
            self.start = start
            self._coarser = []  # other elements fall on the coarser grids now

    def start_at(self, level: int) -> tuple[int, ...]:
        """Where its first element lies at a level."""
        return (*self.start[:-2], *(-(-at >> level) for at in self.start[-2:]))

    def at(self, level: int) -> npt.NDArray[Any]:
        """Return its elements at a level."""
        # Each level from the one before: all of them together cost little more than the first.
        while len(self._coarser) < level:
            depth = len(self._coarser)
            finer, coarser = self.start_at(depth), self.start_at(depth + 1)
            first = [2 * to - at for at, to in zip(finer[-2:], coarser[-2:], strict=True)]
            skip = (slice(None),) * (len(self.start) - 2)
            part = self.at(depth)[(*skip, slice(first[0], None, 2), slice(first[1], None, 2))]
            self._coarser.append(self._hold(np.ascontiguousarray(part), depth + 1))
        return (self._coarser[level - 1] if level else self.held).get()

    def cut(self, window: Window, level: int) -> Cut | None:
        """What of it lies in a window, None if nothing does."""
        own = len(self.start)
        target: list[slice] = [slice(None)] * (len(window) - own)
        source: list[slice] = []
        whole = True
        start = self.start_at(level) if level else self.start
        for turn, part in enumerate(window[len(window) - own :]):
            at, length = start[turn], self.shape[turn]
            if level and turn >= own - 2:
                end = self.start[turn] + length
                length = -(-end >> level) - at
            step = part.step
            first = max(0, -(-(at - part.start) // step))
            last = min(len(part), -(-(at + length - part.start) // step))
            if first >= last:
                return None
            whole &= first == 0 and last == len(part)
            target.append(slice(first, last))
            begin = part.start + first * step - at
            source.append(slice(begin, begin + (last - first - 1) * step + 1, step))
        return (None if whole else tuple(target)), tuple(source)

    def draw(self, picture: npt.NDArray[Any], window: Window, level: int) -> None:
        """Draw it into the picture of a window, as far as it lies there."""
        cut = self.cut(window, level)
        if cut is not None:
            target, source = cut
            picture[... if target is None else target] = self.at(level)[source]
