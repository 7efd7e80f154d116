"""Layouts of the axes of positions, as taps take them; checked at the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dask_napari.model import (
    AXIS_MODES,
    ORDERS,
    PLATE_GUTTER,
    PLATES,
    AxisMode,
    Coordinate,
    Layout,
    Order,
    arguments,
)
from dask_napari.tap._channel_colors import (
    checked_color,
    color_of,
    colors_by_spelling,
    ome_channels,
)

MosaicOrder = Order | Literal["meander"]
"""Order in which a mosaic is filled; a meander is another word for a snake."""

_ORDERS: Final = (*ORDERS, "meander")


@dataclass(frozen=True, slots=True)
class Axis:
    """Layout of one axis.

    :func:`mosaic` and :func:`channels` make one; a tap takes them as ``axes``.

    Attributes
    ----------
    name : str
        Name of the axis.
    mode : {"slider", "layer", "mosaic"}
        A slider, one layer a coordinate, or side by side in space.
    layout : Layout, optional
        Details of the mode.
    """

    name: str
    mode: AxisMode = "slider"
    layout: Layout | None = None


AxisLayouts = (
    Axis | str | Sequence[Axis | str] | Mapping[str, AxisMode | Axis | Mapping[str, Any]] | None
)
"""The forms in which a tap takes its ``axes``."""


def mosaic(
    axis: str,
    *,
    plate: int | None = None,
    grid: tuple[int | None, int | None] | None = None,
    order: MosaicOrder | None = None,
    places: Mapping[Coordinate, tuple[float, float]] | None = None,
    gutter: float | None = None,
) -> Axis:
    """Lay the coordinates of an axis out in space: wells of a plate, fields of a well.

    Parameters
    ----------
    axis : str
        The axis, for instance ``"well"``.
    plate : {6, 12, 24, 48, 96, 384, 1536}, optional
        Coordinates are wells of a plate of so many, such as ``"B03"``; each lies where it is on
        the plate.
    grid : tuple of int, optional
        Rows and columns of a grid that is filled in the natural order of the coordinates; None
        for as many as are needed.
    order : {"row", "column", "snake", "meander", "column-snake", "stage"}, optional
        How a grid is filled: row by row (the default), column by column, or turning around at
        the end of each row (``"meander"`` is another name) or column. ``"stage"``
        takes the translation of each item instead: of the tap, of the output's coordinates.
    places : mapping of coordinate to tuple of float, optional
        Where each coordinate lies, y and x in world units.
    gutter : float, optional
        Space between tiles, as a share of a tile; a little between wells, none in a grid.

    Returns
    -------
    Axis
        For ``axes=`` of a tap.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used, or two contradict each other.

    Examples
    --------
    >>> mosaic("well", plate=96).layout.plate
    96
    >>> mosaic("field", grid=(2, 3), order="meander").layout.order
    'snake'
    >>> mosaic("field", places={1: (0, 0), 2: (0, 650.5)}).layout.places["2"]
    (0.0, 650.5)
    """
    _check_name(axis)
    _check_one_way(axis, plate=plate, grid=grid, places=places, order=order)
    if plate is not None and (isinstance(plate, bool) or plate not in PLATES):
        raise ValueError(
            f"mosaic {axis!r}: plate={plate!r} is not a plate; give one of"
            f" {', '.join(map(str, PLATES))} wells"
        )
    if order is not None:
        arguments.one_of("order", order, _ORDERS)
    rows, columns = (0, 0) if grid is None else _grid(axis, grid)
    if gutter is None:
        gutter = PLATE_GUTTER if plate else 0.0
    space = arguments.number(f"mosaic {axis!r}: gutter", gutter)
    if space < 0:
        raise ValueError(f"mosaic {axis!r}: gutter={gutter!r} is negative")
    if space and (places is not None or order == "stage"):
        raise ValueError(
            f"mosaic {axis!r}: gutter= is for plates and grids; places in the world leave their own"
        )
    return Axis(
        axis,
        "mosaic",
        Layout(
            plate=plate or 0,
            rows=rows,
            columns=columns,
            order="snake" if order == "meander" else order or "row",
            gutter=space,
            places=_places(axis, places),
        ),
    )


def channels(
    axis: str,
    names: Mapping[Coordinate, str] | Sequence[str] | None = None,
    colors: Mapping[Coordinate, str] | None = None,
    *,
    ome: str | None = None,
    first: int = 0,
) -> Axis:
    """Show an axis as one layer a coordinate, each with a name and a colour.

    Dyes, proteins and laser lines that are well known (``"DAPI"``, ``"mCherry"``, ``"488"``) have
    their usual colour where none is given.

    Parameters
    ----------
    axis : str
        The axis, for instance ``"channel"``.
    names : mapping of coordinate to str, or sequence of str, optional
        Names of coordinates; a sequence names those from ``first`` on.
    colors : mapping of coordinate or name to str, optional
        A colour that napari knows, or ``"#rrggbb"``.
    ome : str, optional
        OME-XML, whose first image names the channels and their colours; for instance
        ``tifffile.TiffFile(path).ome_metadata``. ``names`` and ``colors`` win over it.
    first : int
        Coordinate of the first channel of ``ome`` or of a sequence of names.

    Returns
    -------
    Axis
        For ``axes=`` of a tap.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used.

    Examples
    --------
    >>> axis = channels("channel", names={1: "DAPI", 2: "actin"}, colors={"actin": "#ff8800"})
    >>> axis.layout.names["2"], axis.layout.colors["1"], axis.layout.colors["2"]
    ('actin', 'blue', '#ff8800')
    """
    _check_name(axis)
    if isinstance(first, bool) or not isinstance(first, int):
        raise TypeError(f"channels {axis!r}: first={first!r} is not a whole number; give one")
    of_ome = [] if ome is None else ome_channels(ome)
    name_of = {str(number): name for number, (name, _) in enumerate(of_ome, first) if name}
    name_of |= _names(axis, names, first)
    metadata: dict[str, str] = {}  # colours, by coordinate and by name
    for number, (name, color) in enumerate(of_ome, first):
        if color:
            metadata[str(number)] = metadata[name or str(number)] = color
    given = _colors(axis, colors)
    color_by = metadata | given
    for at, name in name_of.items():
        if color := given.get(at) or given.get(name) or metadata.get(at) or color_of(name):
            color_by[at] = color
    if not name_of:
        # Coordinates may be names themselves; which ones is unknown before they come.
        color_by = {**colors_by_spelling(), **color_by}
    return Axis(axis, "layer", Layout(names=name_of, colors=color_by))


def axes_by_name(given: AxisLayouts) -> dict[str, Axis]:
    """Return the axes of a tap by name and in order.

    They are given as axes, names of sliders, or a mapping of name to mode, to Axis, or, as
    configuration files have it, to a mapping of ``mode`` and the arguments of :func:`mosaic` or
    :func:`channels`.
    """
    if given is None:
        return {}
    if isinstance(given, Axis | str):
        given = [given]
    if isinstance(given, Mapping):
        found = [_entry(name, entry) for name, entry in given.items()]
    elif isinstance(given, Sequence):
        found = [_entry(entry, "slider") if isinstance(entry, str) else entry for entry in given]
    else:
        raise TypeError(
            f"axes={given!r} cannot be used; give a mapping of axis to mode, mosaic(...) or"
            " channels(...)"
        )
    axes: dict[str, Axis] = {}
    for axis in found:
        if not isinstance(axis, Axis):
            raise TypeError(f"axes: {axis!r} cannot be used; give a name, mosaic() or channels()")
        if axis.name in axes:
            raise ValueError(f"axes: {axis.name!r} is given twice; an axis has one mode")
        axes[axis.name] = axis
    return axes


def _entry(name: str, entry: object) -> Axis:
    _check_name(name)
    if isinstance(entry, Axis):
        if entry.name != name:
            raise ValueError(f"axes: {name!r} is given the layout of axis {entry.name!r}")
        return entry
    if isinstance(entry, Mapping):
        return _from_mapping(name, dict(entry))
    if entry not in AXIS_MODES:
        raise ValueError(f"axes: mode {entry!r} of {name!r} is unknown; give one of {AXIS_MODES}")
    return Axis(name, entry)  # type: ignore[arg-type]


def _from_mapping(name: str, entry: dict[str, Any]) -> Axis:
    """Return the axis that a configuration file describes."""
    mode = entry.pop("mode", "slider")
    if not entry:
        return _entry(name, mode)
    make = {"mosaic": mosaic, "layer": channels}.get(mode)
    if make is None:
        raise ValueError(
            f"axes: {name!r} has {', '.join(map(repr, entry))} and mode {mode!r}; say"
            " mode: mosaic, or mode: layer"
        )
    try:
        return make(name, **entry)  # type: ignore[no-any-return, operator]
    except TypeError as error:
        raise TypeError(f"axes: {name!r}: {error}") from error


def _check_name(axis: object) -> None:
    if not isinstance(axis, str) or not axis:
        raise TypeError(f"axis {axis!r} is not a name; give some text")


def _check_one_way(
    axis: str, *, plate: object, grid: object, places: object, order: object
) -> None:
    """Refuse two arguments that both place the tiles."""
    ways = {"plate=": plate, "places=": places}
    ways["order='stage'" if order == "stage" else "order="] = order
    ways["grid="] = grid
    given = [way for way, value in ways.items() if value is not None]
    if len(given) > 1 and set(given) != {"grid=", "order="}:
        raise ValueError(f"mosaic {axis!r}: {' and '.join(given)} both place the tiles; give one")


def _grid(axis: str, grid: Any) -> tuple[int, int]:
    fits = isinstance(grid, list | tuple) and len(grid) == 2
    if not fits or any(n is not None and (type(n) is not int or n < 1) for n in grid):
        raise ValueError(
            f"mosaic {axis!r}: grid={grid!r} is not a size; give (rows, columns), whole numbers"
            " from 1 on, or None for as many as are needed"
        )
    return grid[0] or 0, grid[1] or 0


def _places(axis: str, places: object) -> dict[str, tuple[float, float]]:
    if places is None:
        return {}
    if not isinstance(places, Mapping) or not places:
        raise TypeError(
            f"mosaic {axis!r}: places={places!r} cannot be used; give {{coordinate: (y, x)}}"
        )
    found: dict[str, tuple[float, float]] = {}
    for coordinate, place in places.items():
        where = f"mosaic {axis!r}: place of {coordinate!r}"
        if isinstance(place, str) or not hasattr(place, "__len__") or len(place) != 2:
            raise TypeError(f"{where} is {place!r}; give (y, x)")
        found[str(coordinate)] = (
            arguments.number(where, place[0]),
            arguments.number(where, place[1]),
        )
    return found


def _names(axis: str, names: object, first: int) -> dict[str, str]:
    if isinstance(names, list | tuple):
        names = dict(enumerate(names, first))
    if not isinstance(names, Mapping | None):
        raise TypeError(
            f"channels {axis!r}: names={names!r} cannot be used; give {{coordinate: name}}"
        )
    for name in (names or {}).values():
        if not isinstance(name, str) or not name:
            raise TypeError(f"channels {axis!r}: {name!r} cannot name a channel; give some text")
    return {str(coordinate): name for coordinate, name in (names or {}).items()}


def _colors(axis: str, given: object) -> dict[str, str]:
    if not isinstance(given, Mapping | None):
        raise TypeError(
            f"channels {axis!r}: colors={given!r} cannot be used; give"
            " {coordinate or name: color}"
        )
    return {str(entry): checked_color(color) for entry, color in (given or {}).items()}
