"""Mode of each axis: as the taps say, unless the user chooses another in the dock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dask_napari.canvas import Mosaic, split_position
from dask_napari.model import (
    PIXEL_KINDS,
    PLATE_GUTTER,
    PLATES,
    AxisMode,
    Coordinate,
    Item,
    LayerSpec,
    Layout,
    NoPlace,
    well,
)

Known = Callable[[str], Iterable[Coordinate]]
"""Returns the coordinates of all items so far on an axis."""


@dataclass(frozen=True, slots=True)
class Modes:
    """The mode of each axis, for all layers of a viewer; a value that never changes.

    A slider or a layer a value is a matter of each stream. A mosaic is a matter of all: tiles that
    lie side by side on one layer must lie there on the others. The user's choices hold for all,
    too, and win over the taps'.

    >>> spec = LayerSpec("raw", "image", {"well": "mosaic", "channel": "layer"})
    >>> modes = Modes().extended({"well": "A01", "t": 3}, spec, Mosaic(), lambda axis: ())
    >>> modes.mode("well", None), modes.mode("t", None), modes.layouts["well"].plate
    ('mosaic', 'slider', 96)
    """

    chosen: Mapping[str, AxisMode] = field(default_factory=dict)
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    guessed: frozenset[str] = frozenset()
    """Axes whose layouts follow from their coordinates."""

    def extended(
        self,
        position: Mapping[str, Coordinate],
        spec: LayerSpec | None,
        mosaic: Mosaic,
        known: Known,
    ) -> Modes:
        """Return modes that have a place for an item too; these if they have one.

        An axis is laid out as the first tap says that lays it out. If that says no more than
        "mosaic", the layout is guessed: a first well tells that there is a plate, a later one
        that the plate is larger.
        """
        fresh = [] if spec is None else [a for a, m in spec.axes.items() if m == "mosaic"]
        fresh = [axis for axis in fresh if axis not in self.layouts]
        unfit = [
            axis
            for axis in self.guessed
            if axis in position and axis in mosaic.axes and not mosaic.suits(axis, position[axis])
        ]
        if not fresh and not unfit:
            return self
        given = {} if spec is None else {a: spec.layouts[a] for a in fresh if a in spec.layouts}
        to_guess = [*(axis for axis in fresh if axis not in given), *unfit]
        here = {axis: [position[axis]] if axis in position else [] for axis in to_guess}
        guesses = {axis: guess([*known(axis), *here[axis]]) for axis in to_guess}
        return replace(
            self,
            layouts={**self.layouts, **given, **guesses},
            guessed=self.guessed.union(to_guess),
        )

    def retapped(self, before: LayerSpec | None, others: Iterable[LayerSpec | None]) -> Modes:
        """Return modes without the layouts that a tap asked for, as long as no other tap does."""
        if before is None:
            return self
        wanted = {axis for spec in others if spec for axis, m in spec.axes.items() if m == "mosaic"}
        gone = {axis for axis, m in before.axes.items() if m == "mosaic"} - wanted
        if not gone & self.layouts.keys():
            return self
        layouts = {axis: each for axis, each in self.layouts.items() if axis not in gone}
        return replace(self, layouts=layouts, guessed=self.guessed - gone)

    def choose(self, axis: str, mode: AxisMode, known: Known) -> Modes:
        """Return modes by which an axis is shown as the user chooses."""
        chosen = replace(self, chosen={**self.chosen, axis: mode})
        if mode != "mosaic" or axis in self.layouts:
            return chosen
        return replace(
            chosen,
            layouts={**self.layouts, axis: guess([*known(axis)])},
            guessed=self.guessed | {axis},
        )

    def mosaic(self) -> Mosaic:
        """Return a mosaic of the axes that are laid out, without any tiles."""
        mosaic = Mosaic()
        for axis, layout in self.layouts.items():
            if self.mode(axis, None) == "mosaic":
                mosaic.set(axis, layout)
        return mosaic

    def mode(self, axis: str, spec: LayerSpec | None) -> AxisMode:
        """Return the mode of an axis on the layers of a tap."""
        if axis in self.chosen:
            return self.chosen[axis]
        if axis in self.layouts:
            return "mosaic"
        return spec.axes.get(axis, "slider") if spec else "slider"

    def layer_name(self, item: Item, spec: LayerSpec | None) -> str:
        """Return the name of the napari layer that shows an item."""
        return self.divide(item, item.at, spec)[0]

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


def guess(coordinates: Sequence[Coordinate]) -> Layout:
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
