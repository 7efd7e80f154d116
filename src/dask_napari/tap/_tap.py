"""Taps as users write them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Literal, get_args

from dask_napari.coerce import ValueOf, checked_columns
from dask_napari.model import (
    CONTRAST_MODES,
    KINDS,
    PIXEL_KINDS,
    SIZES,
    AxisMode,
    Calibration,
    ContrastMode,
    Kind,
    LayerSpec,
    Policy,
    Position,
    Sizes,
    arguments,
)
from dask_napari.placement import ChunkGrid, Matcher
from dask_napari.tap._axis_layouts import Axis, AxisLayouts, axes_by_name
from dask_napari.tap._compiled_tap import CompiledTap
from dask_napari.tap._name_check import NameCheck, check_names
from dask_napari.tap._placement_rule import At, PlacementRule
from dask_napari.tap._selectors import Select, selector_of


@dataclass(frozen=True, eq=False)
class Tap:
    """Choice of task outputs to stream: as which kind, onto which layer, at which position.

    A tap is checked when it is made, and holds its options as they were written, but for
    ``select``, which becomes keys or the geometry of an array, and ``layer``, which has a name.

    Parameters
    ----------
    select : str, tuple, list, set, type, callable, Future or Dask collection
        A task's name as the dashboard shows it (or its whole key); a tuple key; several keys
        or futures; a type that the output must be an instance of; or a function of the key. The
        chunks of a dask array (or of the ``DataArray`` around one) lie at their places in it.
    kind : {"image", "labels", "points", "shapes", "tracks", "vectors", "surface"}
        Type of the layer, unless an output names its own, as napari's layer-data tuples do.
    layer : str, optional
        The layer's name; the task's name if not given.
    at : str, Convention, mapping or callable, optional
        The position: a pattern such as ``"{well}_s{field:d}.tif"``, or one of
        :mod:`dask_napari.conventions` or its name, looked for in the file names among the
        task's arguments, then in its key, then in the keys it depends on; or a function
        ``(key, value, args) -> position``; or the position of all outputs. A slice, as in
        ``{"well": "A01", "y": slice(512, 1024), "x": slice(0, 512)}``, places a tile in a larger
        image. Without it the scalar coordinates of an ``xarray.DataArray`` count,
        or else the order of arrival.
    axes : mapping, Axis, str or sequence of them, optional
        How axes are laid out: axis -> ``"slider"``, ``"layer"`` or ``"mosaic"``, or what
        :func:`~dask_napari.mosaic` and :func:`~dask_napari.channels` return. Those not named are
        sliders. Named ones come first, in order.
    scale, translate : float or sequence of float, optional
        Pixel size, and world coordinate of the first pixel, along each spatial axis.
    units : str or sequence of str, optional
        Their units, for instance ``"micrometer"``.
    policy : {"latest", "drop-oldest", "keep"}
        Which outputs give way when the viewer is slower than the tasks.
    copy : {"lazy", "eager"}
        Eager for tasks that go on writing to what they returned.
    rgb : bool, optional
        Whether the last axis is colour; guessed if not given.
    options : mapping, optional
        Further arguments of napari's layer, for instance ``{"colormap": "magma"}``, or
        ``{"text": "{area:.0f}", "face_color": "area"}`` to label and colour by a feature.
    value : int, str or callable, optional
        Which part of an output to show: an index, a key or the name of an attribute, or a function
        of the output, which runs on the publisher's thread. All of the output if not given.
    columns : mapping, optional
        Which columns of a table are its coordinates, where their names do not tell:
        ``{"y": "row", "x": "col"}``. The page "Kinds of output" lists the names on the left.
    dims : sequence of str, optional
        Names of the axes of a dask array.
    sizes : {"pad", "separate"}
        Images of different sizes: padded to the largest, or one layer a size.
    fill : float
        Value that an image shows where nothing has arrived.
    contrast : {"running", "frame", "first"}
        What the contrast limits of images and surfaces follow, unless ``options`` or the user set
        them: the outputs that came lately, the picture in view, or the first output.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used, with the remedy.

    Examples
    --------
    >>> tap = Tap("segment", kind="labels", layer="cells", at="{plate}_{well}_s{field:d}.tif")
    >>> tap.matches("segment-1f3a", "segment")
    True
    >>> tap.place("segment-1f3a", None, ("/data/P1_A01_s3.tif",), {})
    {'plate': 'P1', 'well': 'A01', 'field': 3}
    """

    select: Select
    kind: Kind = "image"
    layer: str | None = None
    at: At | None = None
    axes: AxisLayouts = None
    scale: float | Sequence[float] | None = None
    units: str | Sequence[str] | None = None
    translate: float | Sequence[float] | None = None
    policy: Policy = "latest"
    copy: Literal["lazy", "eager"] = "lazy"
    rgb: bool | None = None
    options: Mapping[str, Any] | None = None
    value: ValueOf | None = None
    columns: Mapping[str, str] | None = None
    dims: Sequence[str] | None = None
    sizes: Sizes = "pad"
    fill: float = 0.0
    contrast: ContrastMode = "running"

    def __post_init__(self) -> None:
        arguments.one_of("kind", self.kind, KINDS)
        dims = arguments.names("dims", self.dims)
        selector, name = selector_of(self.select, self.kind, self.rgb, dims)
        # A tap is kept and sent: it must not hold on to arrays and futures.
        object.__setattr__(self, "select", selector)
        if self.layer is None:
            object.__setattr__(self, "layer", name)
        self.compile()  # refuses at the call what no worker could use

    def __eq__(self, other: object) -> bool:
        return self.compile() == other.compile() if isinstance(other, Tap) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def compile(self) -> CompiledTap:
        """Return the tap in its final form, as workers use it; the same object each time."""
        return self._compiled

    @functools.cached_property
    def _compiled(self) -> CompiledTap:
        # Pickled with the tap: workers need not know a convention that was registered here.
        arguments.one_of("policy", self.policy, get_args(Policy))
        arguments.one_of("copy", self.copy, ("lazy", "eager"))
        if self.rgb and self.kind != "image":
            raise ValueError(f"rgb=True is for images, and kind is {self.kind!r}")
        grid = self.select if isinstance(self.select, ChunkGrid) else None
        rule = PlacementRule.of(self.at, grid)
        return CompiledTap(
            self.select,
            self._layer_spec(rule.pattern, grid),
            rule,
            self._calibration(grid),
            self.policy,
            self.copy,
            self.rgb if grid is None else grid.rgb,
            self._value(grid),
            checked_columns(self.kind, self.columns),
        )

    def _value(self, grid: ChunkGrid | None) -> ValueOf | None:
        value = self.value
        if isinstance(value, bool) or not (
            value is None or isinstance(value, int | str) or callable(value)
        ):
            raise TypeError(
                f"value={value!r} chooses no part of an output; give an index, a key, the name of"
                " an attribute, or a function of the output"
            )
        if grid is not None and isinstance(value, int | str):
            raise ValueError(
                f"value={value!r} chooses a part of an output, and chunks of an array have none;"
                " tap a part of the array, or give a function"
            )
        return value

    def _layer_spec(self, pattern: Matcher | None, grid: ChunkGrid | None) -> LayerSpec:
        if not isinstance(self.layer, str) or not self.layer:
            raise TypeError(f"layer={self.layer!r} cannot name a layer; give some text")
        arguments.one_of("sizes", self.sizes, SIZES)
        if self.sizes != "pad" and self.kind not in PIXEL_KINDS:
            raise ValueError(f"sizes={self.sizes!r} is for pixels, and kind is {self.kind!r}")
        fill = arguments.number("fill", self.fill)
        if fill and self.kind != "image":
            raise ValueError(f"fill={self.fill!r} is for images, and kind is {self.kind!r}")
        arguments.one_of("contrast", self.contrast, CONTRAST_MODES)
        if self.contrast != "running" and self.kind not in ("image", "surface"):
            raise ValueError(
                f"contrast={self.contrast!r} is for images and surfaces, and kind is {self.kind!r}"
            )
        axes = axes_by_name(self.axes)
        if pattern is not None and grid is None:  # an array has axes of its own
            _check_axes(axes, pattern)
        modes: dict[str, AxisMode] = {name: axis.mode for name, axis in axes.items()}
        for name in pattern.fields if pattern else ():
            modes.setdefault(name, "slider")
        spec = LayerSpec(
            self.layer,
            self.kind,
            modes,
            arguments.options(self.kind, self.options or {}),
            {name: axis.layout for name, axis in axes.items() if axis.layout is not None},
            self.sizes,
            fill,
            self.contrast,
        )
        arguments.declared(spec)
        return spec

    def _calibration(self, grid: ChunkGrid | None) -> Calibration:
        of_array = Calibration() if grid is None else grid.calibration
        scale = arguments.numbers("scale", self.scale)
        if not all(scale):
            raise ValueError(f"scale={scale} holds a zero; a pixel has some size")
        return Calibration(
            of_array.axes,
            scale or of_array.scale,
            arguments.numbers("translate", self.translate) or of_array.translate,
            arguments.units(self.units) or of_array.units,
        )

    def matches(self, key: Any, prefix: str, value: object = None) -> bool:
        """Return whether the tap chooses the output of a task.

        Parameters
        ----------
        key : str, bytes, int, float or tuple
            The task's key.
        prefix : str
            The task's name.
        value : object
            Output of the task; its type counts.
        """
        return self.compile().matches(key, prefix, type(value))

    def place(
        self,
        key: Any,
        value: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        prefix: str = "",
    ) -> Position:
        """Return the position of an output, empty if ``at`` was not given.

        Parameters
        ----------
        key : str, bytes, int, float or tuple
            The task's key.
        value : object
            Output of the task.
        args : tuple
            Arguments of the task, in which outputs of other tasks are references to their keys.
        kwargs : mapping
            Keyword arguments of the task.
        prefix : str
            The task's name, which a pattern need not match.

        Raises
        ------
        Refusal
            If the pattern matches no name, or the function fails or returns no position.
        """
        return self.compile().rule.placement(key, value, args, kwargs, prefix).position

    def spec(self) -> LayerSpec:
        """Return the declaration of the layer, which a viewer can use before its first item."""
        return self.compile().spec

    def check(self, names: Iterable[str]) -> NameCheck:
        """Check before a computation where the names that it will meet are placed.

        Parameters
        ----------
        names : iterable of str
            File names or keys that the tapped tasks will have.

        Returns
        -------
        NameCheck
            How many places they fill, with examples, names that are not read, names that share a
            place, and wells that no plate has. Print it.

        Warns
        -----
        UserWarning
            If names share a place, so that their outputs will replace each other, or what is read
            as a well is none.

        Raises
        ------
        ValueError
            If ``at`` is a pattern that matches none of the names.

        Examples
        --------
        >>> print(Tap("read", at="{well}_s{field:d}.tif").check(["A01_s1.tif", "b2_s1.tif", "log"]))
        2 of 3 names fill 2 places
        'A01_s1.tif' at {'well': 'A01', 'field': 1}
        'b2_s1.tif' at {'well': 'B02', 'field': 1}
        no position in 'log'
        """
        found = check_names(self.compile().rule, names, self.spec().layouts)
        if found.warning:
            warnings.warn(found.warning, stacklevel=2)
        return found


def _check_axes(axes: Mapping[str, Axis], pattern: Matcher) -> None:
    """Refuse an axis that is a mistyped field; others may be named axes of what tasks return."""
    for axis in axes:
        if axis not in pattern.fields and (near := get_close_matches(axis, pattern.fields, n=1)):
            raise ValueError(
                f"axes: no axis {axis!r} in {pattern.title}, whose fields are"
                f" {', '.join(pattern.fields)}; did you mean {near[0]!r}?"
            )
