"""Mode of each axis: as the taps say, unless the user chooses another in the dock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dask_napari.canvas import Mosaic, TileLayout, split_position
from dask_napari.model import (
    PIXEL_KINDS,
    PLATES,
    AxisMode,
    Coordinate,
    Item,
    LayerSpec,
    Layout,
    NoPlace,
    well,
)

PLATE_GUTTER: Final = 0.06
"""Share of a well; enough to tell wells apart at any zoom."""


class Modes:
    """The mode of each axis, for all layers of a viewer.

    A slider or a layer a value is a matter of each stream. A mosaic is a matter of all: what
    lies side by side on one layer must lie there on the others. What the user chooses holds for
    all, too.

    >>> modes = Modes()
    >>> modes.declare(LayerSpec("raw", "image", {"well": "mosaic", "channel": "layer"}))
    True
    >>> modes.mode("well", None), modes.mode("t", None), modes.mosaic.axes
    ('mosaic', 'slider', ('well',))
    """

    def __init__(self) -> None:
        self.mosaic: Mosaic = Mosaic()
        self.chosen: dict[str, AxisMode] = {}
        """By the user; over what taps say."""
        self._laid_out: dict[str, TileLayout] = {}
        self._declared: set[str] = set()
        self._guessed: set[str] = set()

    def __repr__(self) -> str:
        return f"<Modes: chosen {self.chosen}, laid out {[*self._laid_out]}>"

    def declare(self, spec: LayerSpec) -> bool:
        """Take in the axes of a tap; return whether any of them is newly laid out."""
        if spec.name in self._declared:
            return False
        self._declared.add(spec.name)
        fresh = {
            axis: spec.layouts.get(axis, Layout())
            for axis, mode in spec.axes.items()
            if mode == "mosaic" and axis not in self._laid_out
        }
        self._laid_out |= fresh
        # A tap that says only "mosaic" leaves the rest to the coordinates.
        self._guessed |= fresh.keys() - spec.layouts.keys()
        for axis, layout in fresh.items():
            if self.chosen.get(axis, "mosaic") == "mosaic":
                self.mosaic.set(axis, layout)
        return bool(fresh)

    def choose(self, axis: str, mode: AxisMode, coordinates: Iterable[Coordinate]) -> None:
        """Show an axis, which has these coordinates so far, as the user chooses."""
        self.chosen[axis] = mode
        if mode == "mosaic" and axis not in self._laid_out:
            self._laid_out[axis] = guess(list(coordinates))
            self._guessed.add(axis)
        # Anew, since those that are laid out inside of others may have changed.
        self.restart()

    def learn(self, position: Mapping[str, Coordinate]) -> bool:
        """Guess the layouts that no tap gives; return whether any has changed.

        A first well tells that there is a plate, a later one that the plate is larger.
        """
        changed = False
        for axis in self._guessed:
            if axis in position and axis in self.mosaic.axes:
                layout = self._laid_out[axis]
                if not self.mosaic.suits(axis, position[axis]):
                    guessed = guess([*self.mosaic.coordinates(axis), position[axis]])
                    changed |= guessed != layout
                    self._laid_out[axis] = guessed
        return changed

    def restart(self) -> None:
        """Forget where tiles lie, and keep how axes are laid out."""
        self.mosaic = Mosaic()
        for axis, layout in self._laid_out.items():
            if self.chosen.get(axis, "mosaic") == "mosaic":
                self.mosaic.set(axis, layout)

    def mode(self, axis: str, spec: LayerSpec | None) -> AxisMode:
        """Return the mode of an axis on the layers of a tap."""
        if axis in self.chosen:
            return self.chosen[axis]
        if axis in self.mosaic.axes:
            return "mosaic"
        return spec.axes.get(axis, "slider") if spec else "slider"

    def divide(
        self, item: Item, position: Mapping[str, Coordinate], spec: LayerSpec | None
    ) -> tuple[str, dict[str, Coordinate], dict[str, Any]]:
        """Return the name of an item's layer, its position there, and options that follow."""
        modes = {axis: self.mode(axis, spec) for axis in position}
        layouts = spec.layouts if spec else {}
        names = {axis: layout.names for axis, layout in layouts.items()}
        name, rest, layers = split_position(item.name, position, modes, names)
        if spec and spec.sizes == "separate" and item.kind in PIXEL_KINDS:
            size = item.array_shape or item.data.shape[: item.data.ndim - item.rgb]
            name += f" ({' x '.join(map(str, size))})"
        options: dict[str, Any] = {}
        for axis, at in layers.items():
            layout = layouts.get(axis)
            colors = layout.colors if layout else {}
            called = names.get(axis, {}).get(str(at), str(at))
            if color := colors.get(str(at)) or colors.get(called):
                options["colormap"] = color
        if layers and item.kind == "image" and not item.rgb:
            options = {"colormap": None, "blending": "additive", **options}
        return name, rest, options


def guess(coordinates: list[Coordinate]) -> Layout:
    """Return the layout that the coordinates of an axis suggest: a plate, or a grid.

    >>> guess(["A01", "B12"]).plate, guess(["A01", "P24"]).plate, guess([1, 2, 3]).plate
    (96, 384, 0)
    """
    for plate in (size for size in PLATES if size >= 96):
        try:
            for at in coordinates:
                well(at, plate)
        except NoPlace:
            continue
        return Layout(plate=plate, gutter=PLATE_GUTTER)
    return Layout()
