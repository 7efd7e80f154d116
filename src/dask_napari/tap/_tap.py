"""One tap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dask_napari.model import (
    KINDS,
    PIXEL_KINDS,
    SIZES,
    AxisMode,
    Calibration,
    Kind,
    LayerSpec,
    Policy,
    Position,
    Sizes,
    arguments,
)
from dask_napari.placement import Chunks, Matcher, Placement, dask_arrays
from dask_napari.tap._axis_layouts import Axis, AxisLayouts, read
from dask_napari.tap._placing import At, Placing, checked
from dask_napari.tap._selecting import selection

Select = Any
"""A task name, exact keys, futures or a collection, an output type, or a predicate."""


@dataclass(frozen=True)
class Tap:
    """Which task outputs to stream, as what kind, onto which layer, at which position.

    Parameters
    ----------
    select : str, tuple, list, set, type, callable, Future or Dask collection
        A task's name as the dashboard shows it (or its whole key); a tuple key; several keys
        or futures; a type that the output must be an instance of; or a function of the key. The
        chunks of a dask array (or of the ``DataArray`` around one) lie at their places in it.
    kind : {"image", "labels", "points", "shapes", "tracks", "vectors", "surface"}
        What to show the outputs as, unless they say it themselves, as napari's layer-data tuples
        do.
    layer : str, optional
        The layer's name; the task's name if not given.
    at : str, Convention, mapping or callable, optional
        The position: a pattern such as ``"{well}_s{field:d}.tif"``, or one of
        :mod:`dask_napari.conventions` or its name, looked for in the file names among the
        task's arguments, then in its key, then in the keys it depends on; or a function
        ``(key, value, args) -> position``; or the position of all outputs. A slice, as in
        ``{"well": "A01", "y": slice(512, 1024), "x": slice(0, 512)}``, says where in a larger
        image a tile lies. Without it the scalar coordinates of an ``xarray.DataArray`` count,
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
        What to do when the viewer is slower than the tasks.
    copy : {"lazy", "eager"}
        Eager for tasks that go on writing to what they returned.
    rgb : bool, optional
        Whether the last axis is colour; guessed if not given.
    options : mapping, optional
        Further arguments of napari's layer, for instance ``{"colormap": "magma"}``, or
        ``{"text": "{area:.0f}", "face_color": "area"}`` to label and colour by a feature.
    dims : sequence of str, optional
        Names of the axes of a dask array.
    sizes : {"pad", "separate"}
        Images of different sizes: padded to the largest, or one layer a size.
    fill : float
        What an image shows where there is nothing.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used, with the remedy.

    Examples
    --------
    >>> tap = Tap("segment", kind="labels", layer="cells", at="{plate}_{well}_s{field:d}.tif")
    >>> tap.matches("segment-1f3a", "segment", None)
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
    dims: Sequence[str] | None = None
    sizes: Sizes = "pad"
    fill: float = 0.0

    def __post_init__(self) -> None:
        arguments.one_of("kind", self.kind, KINDS)
        arguments.one_of("policy", self.policy, get_args(Policy))
        arguments.one_of("copy", self.copy, ("lazy", "eager"))
        if self.rgb and self.kind != "image":
            raise ValueError(f"rgb=True is for images, and kind is {self.kind!r}")
        named = self._check_select()
        self._set("layer", named if self.layer is None else self.layer)
        if not isinstance(self.layer, str) or not self.layer:
            raise TypeError(f"layer={self.layer!r} is not a layer name; give some text")
        self._set("at", checked(self.at))
        self._set("axes", read(self.axes))
        self._check_axes()
        self._check_canvas()
        self._set("scale", arguments.numbers("scale", self.scale))
        self._set("translate", arguments.numbers("translate", self.translate))
        if not all(arguments.numbers("scale", self.scale)):
            raise ValueError(f"scale={self.scale} holds a zero; a pixel has some size")
        self._set("units", arguments.units(self.units))
        self._set("options", arguments.options(self.kind, self.options or {}))
        arguments.declared(self.spec())

    def _set(self, name: str, value: object) -> None:
        # The dataclass is frozen for its users; what they gave is made uniform once.
        object.__setattr__(self, name, value)

    def _check_select(self) -> str:
        """Make what is selected uniform; return a name for its layer."""
        dims = arguments.names("dims", self.dims)
        given = self.select
        if isinstance(given, Chunks):
            return dask_arrays.TOKEN.sub("", given.name)
        if dask_arrays.is_dataset(given):
            raise TypeError("a Dataset has several layers: use live.tap, or one Tap a variable")
        if dask_arrays.is_array(given):
            chunks = dask_arrays.chunks_of(given, kind=self.kind, rgb=self.rgb, dims=dims)
            self._set("select", chunks)
            self._set("rgb", chunks.rgb)
            return dask_arrays.title_of(given)
        if dims:
            raise ValueError(f"dims={dims} name the axes of a dask array, and select= is none")
        self._set("select", selection(given))
        return self.select if isinstance(self.select, str) else "dask"

    def _check_axes(self) -> None:
        pattern = self.pattern
        if pattern is None or self.chunks is not None:
            return  # the axes of an array are none of the pattern's
        unknown = [axis for axis in self.modes if axis not in pattern.fields]
        if unknown:
            raise ValueError(
                f"axes: no axis {unknown[0]!r} in {pattern.title}, whose fields are"
                f" {', '.join(pattern.fields)}"
            )

    def _check_canvas(self) -> None:
        arguments.one_of("sizes", self.sizes, SIZES)
        if self.sizes != "pad" and self.kind not in PIXEL_KINDS:
            raise ValueError(f"sizes={self.sizes!r} is for pixels, and kind is {self.kind!r}")
        self._set("fill", arguments.number("fill", self.fill))
        if self.fill and self.kind != "image":
            raise ValueError(f"fill={self.fill!r} is for images, and kind is {self.kind!r}")

    @property
    def modes(self) -> dict[str, Axis]:
        """The axes that are named, with what was said of each."""
        assert isinstance(self.axes, dict)  # made uniform at the call
        return self.axes

    @property
    def pattern(self) -> Matcher | None:
        """What reads names for ``at``, None if it is a function or not given."""
        return self._placing.pattern

    @property
    def calibration(self) -> Calibration:
        """Scale, translation and units that the tap says; see :func:`dask_napari.coerce.coerce`.

        Where the tap says nothing, what the coordinates of its array say.
        """
        said = Calibration(scale=self.scale, translate=self.translate, units=self.units)  # type: ignore[arg-type]
        if self.chunks is None:
            return said
        known = self.chunks.calibration
        return Calibration(
            known.axes,
            said.scale or known.scale,
            said.translate or known.translate,
            said.units or known.units,
        )

    @property
    def chunks(self) -> Chunks | None:
        """The chunks of the array that is tapped; None if it is no array."""
        return self.select if isinstance(self.select, Chunks) else None

    @property
    def places_by_value(self) -> bool:
        """Whether an output must be looked at to know its place."""
        return self._placing.by_value

    @property
    def _placing(self) -> Placing:
        return Placing(self.at, self.chunks)

    def matches(self, key: Any, prefix: str, value: object) -> bool:
        """Return whether the tap chooses the output of a task.

        Parameters
        ----------
        key : str, bytes, int, float or tuple
            The task's key.
        prefix : str
            The task's name.
        value : object
            What it returned.
        """
        select = self.select
        if isinstance(select, str):
            return select in (prefix, key)
        if isinstance(select, frozenset | Chunks):
            return key in select
        if isinstance(select, type):
            return isinstance(value, select)
        return bool(select(key))

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
        key, value, args, kwargs, prefix
            See :meth:`placement`.

        Raises
        ------
        Refusal
            See :meth:`placement`.
        """
        return self.placement(key, value, args, kwargs, prefix).position

    def placement(
        self,
        key: Any,
        value: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        prefix: str = "",
    ) -> Placement:
        """Return the place of an output: its position, and that of a chunk in its array.

        Parameters
        ----------
        key : str, bytes, int, float or tuple
            The task's key.
        value : object
            What it returned.
        args : tuple
            Its arguments, in which outputs of other tasks are references to their keys.
        kwargs : mapping
            Its keyword arguments.
        prefix : str
            The task's name, which a pattern need not match.

        Raises
        ------
        Refusal
            If the pattern matches no name, or the function fails or returns no position.
        """
        return self._placing.placement(key, value, args, kwargs or {}, prefix)

    def spec(self) -> LayerSpec:
        """Return what is known of the layer before its first item."""
        assert self.layer is not None
        modes: dict[str, AxisMode] = {name: axis.mode for name, axis in self.modes.items()}
        for name in self.pattern.fields if self.pattern else ():
            modes.setdefault(name, "slider")
        return LayerSpec(
            self.layer,
            self.kind,
            modes,
            dict(self.options or {}),
            {name: axis.layout for name, axis in self.modes.items() if axis.layout is not None},
            self.sizes,
            self.fill,
        )

    def check(self, names: Iterable[str]) -> None:
        """Refuse names of which the pattern matches none; for a check before a computation.

        Parameters
        ----------
        names : iterable of str
            File names or keys that the tapped tasks will have.

        Raises
        ------
        ValueError
            If ``at`` is a pattern that matches none of the names.
        """
        if self.pattern is not None:
            self.pattern.check(names)
