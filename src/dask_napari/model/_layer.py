"""Layers as taps declare them: kinds, axis modes, layouts."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta

from dask_napari.model._bounds import AXES_LIMIT, Name, PlainValue
from dask_napari.model._plates import PLATES

Kind = Literal["image", "labels", "points", "shapes", "tracks", "vectors", "surface"]
"""A napari layer type."""

AxisMode = Literal["slider", "layer", "mosaic"]
"""How an axis is laid out: a dims slider, one napari layer per value, or side by side in space."""

Order = Literal["row", "column", "snake", "column-snake", "stage"]
"""How the tiles of a mosaic follow each other: ``snake`` turns around at the end of each row (a
meander), ``stage`` takes each item's own translation."""

Sizes = Literal["pad", "separate"]
"""Images of different sizes: padded to the largest, or one layer a size."""

ContrastMode = Literal["running", "frame", "first"]
"""Source of contrast limits until the user sets some: recent pictures, the picture in view, or the
picture that came first."""

Policy = Literal["latest", "drop-oldest", "keep"]
"""Outputs that give way when the viewer is slower than the tasks.

``latest``: an entry replaces one that waits for the same place. ``drop-oldest``: the oldest go
when the budget is full. ``keep``: nothing is replaced. Over the budget, entries of ``latest``
and ``keep`` forget their value and find it again by its key when their turn comes.
"""

KINDS: tuple[str, ...] = get_args(Kind)
PIXEL_KINDS: frozenset[str] = frozenset({"image", "labels"})
"""Kinds whose data are pixels on a grid; the data of the others are coordinates."""
AXIS_MODES: tuple[str, ...] = get_args(AxisMode)
ORDERS: tuple[str, ...] = get_args(Order)
SIZES: tuple[str, ...] = get_args(Sizes)
CONTRAST_MODES: tuple[str, ...] = get_args(ContrastMode)


GRID_LIMIT: Final = 1 << 16
"""Rows or columns of a grid; with tiles of 2**15 pixels a side, napari can still count them."""

_GUTTER_LIMIT: Final = 100.0
_PLACE_LIMIT: Final = 1e15
"""World units; beyond, floats run out of digits for pixels."""


class Layout(msgspec.Struct, frozen=True):
    """Places, names and colours of the coordinates of one axis, by their text.

    Raises ValueError if a number is beyond any mosaic: by a call, from the wire, or in a record.
    """

    plate: int = 0  # wells of the plate whose wells, such as "B03", the axis has; 0 without one
    rows: int = 0  # of a grid; 0 for as many as are needed
    columns: int = 0
    order: Order = "row"  # in which the grid is filled
    gutter: float = 0.0  # space between tiles, as a share of a tile
    places: dict[Name, tuple[float, float]] = {}  # y and x, in world units
    names: dict[Name, Name] = {}
    colors: dict[Name, Name] = {}  # names that napari knows, or "#rrggbb"

    def __post_init__(self) -> None:
        if self.plate and self.plate not in PLATES:
            wells = ", ".join(map(str, PLATES))
            raise ValueError(f"a plate of {self.plate} wells is not known; give one of {wells}")
        if not 0 <= min(self.rows, self.columns) <= max(self.rows, self.columns) <= GRID_LIMIT:
            raise ValueError(
                f"a grid of {self.rows} x {self.columns} tiles; give 0 to {GRID_LIMIT} of each"
            )
        if not 0 <= self.gutter <= _GUTTER_LIMIT:
            raise ValueError(
                f"a gutter of {self.gutter} tiles; give a share from 0 to {_GUTTER_LIMIT:g}"
            )
        for name, place in self.places.items():
            if not all(abs(length) <= _PLACE_LIMIT for length in place):
                raise ValueError(
                    f"the place {place} of {name[:40]!r}; give numbers up to {_PLACE_LIMIT:g}"
                )


class LayerSpec(msgspec.Struct, frozen=True):
    """Description of a layer before its first item arrives.

    Attributes
    ----------
    name : str
        Layer name, as in :attr:`Item.layer`.
    kind : Kind
        The napari layer type.
    axes : dict of str to AxisMode
        Mode of each axis of the position, in slider order; axes not named are sliders.
    options : dict of str to object
        Keyword arguments for napari's ``add_<kind>``: text, numbers, flags and lists of them.
    layouts : dict of str to Layout
        More on axes that have more to say than their mode.
    sizes : {"pad", "separate"}
        Whether images of different sizes share a layer, or have one a size.
    fill : float
        What an image shows where there is nothing.
    contrast : {"running", "frame", "first"}
        What the limits of contrast of an image or a surface follow.

    Examples
    --------
    >>> LayerSpec("raw", "image", {"well": "slider", "channel": "layer"}).axes["channel"]
    'layer'
    """

    name: Name
    kind: Kind
    axes: Annotated[dict[Name, AxisMode], Meta(max_length=AXES_LIMIT)] = {}
    options: dict[Name, PlainValue] = {}
    layouts: Annotated[dict[Name, Layout], Meta(max_length=AXES_LIMIT)] = {}
    sizes: Sizes = "pad"
    fill: float = 0.0
    contrast: ContrastMode = "running"
