"""Taps: which task outputs are streamed, as what, onto which layer, at which position."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from dask_napari import checks
from dask_napari.item import STREAMABLE
from dask_napari.pattern import Pattern, compiled, names_in, names_of_key, references_in
from dask_napari.stream.item import (
    AXIS_MODES,
    AxisMode,
    Calibration,
    Kind,
    LayerSpec,
    Position,
)

logger = logging.getLogger(__name__)

Key = str | bytes | int | float | tuple[Any, ...]
"""A Dask key."""

Policy = Literal["latest", "drop-oldest", "keep"]
"""What happens to outputs that the stream has no room for."""

Select = Any
"""A task name, exact keys, futures or a collection, an output type, or a predicate."""

At = str | Callable[[Any, Any, tuple[Any, ...]], Mapping[str, Any]]
"""A pattern, or a function of key, value and arguments."""

POLICIES: tuple[str, ...] = get_args(Policy)


class PlacementError(ValueError):
    """An output whose position cannot be found.

    Attributes
    ----------
    reason : str
        A short cause without values in it, fit to be counted by.
    """

    reason = "no position"


@dataclass(frozen=True)
class Tap:
    """Which task outputs to stream, as what kind, onto which layer, at which position.

    Parameters
    ----------
    select : str, tuple, list, set, type, callable, Future or Dask collection
        A task's name as the dashboard shows it (or its whole key); a tuple key; several keys
        or futures; a type that the output must be an instance of; or a function of the key.
    kind : {"image", "labels", "points", "shapes", "tracks", "vectors", "surface"}
        What to show the outputs as, unless they say it themselves, as napari's layer-data tuples
        do.
    layer : str, optional
        The layer's name; the task's name if not given.
    at : str or callable, optional
        The position: a pattern such as ``"{well}_s{field:d}.tif"``, looked for in the file
        names among the task's arguments, then in its key, then in the keys it depends on; or
        a function ``(key, value, args) -> position``. Without it the scalar coordinates of an
        ``xarray.DataArray`` count, or else the order of arrival.
    axes : mapping of str to {"slider", "layer"}, optional
        How axes are laid out; those not named are sliders. Named ones come first, in order.
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
    axes: Mapping[str, AxisMode] | None = None
    scale: float | Sequence[float] | None = None
    units: str | Sequence[str] | None = None
    translate: float | Sequence[float] | None = None
    policy: Policy = "latest"
    copy: Literal["lazy", "eager"] = "lazy"
    rgb: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.one_of("kind", self.kind, STREAMABLE)
        checks.one_of("policy", self.policy, POLICIES)
        checks.one_of("copy", self.copy, ("lazy", "eager"))
        if self.rgb and self.kind != "image":
            raise ValueError(f"rgb=True is for images, and kind is {self.kind!r}")
        self._set("select", checks.selection(self.select))
        named = self.select if isinstance(self.select, str) else "dask"
        self._set("layer", named if self.layer is None else self.layer)
        if not isinstance(self.layer, str) or not self.layer:
            raise TypeError(f"layer={self.layer!r} is not a layer name; give some text")
        self._check_at()
        self._set("axes", dict(self.axes or {}))
        self._check_axes()
        self._set("scale", checks.numbers("scale", self.scale))
        self._set("translate", checks.numbers("translate", self.translate))
        if not all(checks.numbers("scale", self.scale)):
            raise ValueError(f"scale={self.scale} holds a zero; a pixel has some size")
        self._set("units", checks.units(self.units))
        self._set("options", checks.options(self.kind, self.options))

    def _set(self, name: str, value: object) -> None:
        # The dataclass is frozen for its users; what they gave is made uniform once.
        object.__setattr__(self, name, value)

    def _check_at(self) -> None:
        if isinstance(self.at, str):
            compiled(self.at)
        elif self.at is not None and not callable(self.at):
            raise TypeError(
                f"at={self.at!r} is neither a pattern such as '{{well}}_s{{field:d}}.tif' nor a"
                " function (key, value, args) -> position"
            )

    def _check_axes(self) -> None:
        assert self.axes is not None
        for axis, mode in self.axes.items():
            if mode not in AXIS_MODES:
                raise ValueError(f"axes: mode {mode!r} of {axis!r} is none of {AXIS_MODES}")
        pattern = self.pattern
        if pattern is None:
            return
        unknown = [axis for axis in self.axes if axis not in pattern.fields]
        if unknown:
            raise ValueError(
                f"axes: no axis {unknown[0]!r} in pattern {pattern.text!r}, whose fields are"
                f" {', '.join(pattern.fields)}"
            )

    @property
    def pattern(self) -> Pattern | None:
        """The compiled pattern of ``at``, None if it is a function or not given."""
        return compiled(self.at) if isinstance(self.at, str) else None

    @property
    def calibration(self) -> Calibration:
        """Scale, translation and units that the tap says; see :func:`~dask_napari.item.coerce`."""
        return Calibration(scale=self.scale, translate=self.translate, units=self.units)  # type: ignore[arg-type]

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
        if isinstance(select, frozenset):
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
        PlacementError
            If the pattern matches no name, or the function fails or returns no position.
        """
        if self.at is None:
            return {}
        pattern = self.pattern
        if pattern is None:
            return self._call(key, value, args)
        # Lazily, in this order: most tasks are placed by their first argument.
        given = (args, kwargs)
        found = pattern.first(
            itertools.chain(names_in(given), names_of_key(key, prefix), references_in(given))
        )
        if found is None:
            names = itertools.islice(
                itertools.chain(names_in(given), names_of_key(key, prefix), references_in(given)), 4
            )
            raise PlacementError(
                f"pattern {pattern.text!r} matches no name of task {key!r}, which goes by"
                f" {', '.join(map(repr, names))}"
            )
        return found

    def _call(self, key: Any, value: object, args: tuple[Any, ...]) -> Position:
        assert callable(self.at)
        try:
            answer = self.at(key, value, args)
        except Exception as error:
            raise PlacementError(f"at= failed for task {key!r}: {error!r}") from error
        try:
            return checks.position(answer)
        except (TypeError, ValueError) as error:
            raise PlacementError(f"at= for task {key!r}: {error}") from error

    def spec(self) -> LayerSpec:
        """Return what is known of the layer before its first item."""
        assert self.layer is not None
        assert self.axes is not None
        modes: dict[str, AxisMode] = dict(self.axes)
        for name in self.pattern.fields if self.pattern else ():
            modes.setdefault(name, "slider")
        return LayerSpec(self.layer, self.kind, modes, dict(self.options))

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


class Taps:
    """Taps in force on one worker, indexed so that a task nobody taps costs next to nothing.

    Parameters
    ----------
    taps : iterable of Tap
        In the order in which their items are made.

    Raises
    ------
    ValueError
        If two taps feed one layer with different kinds.

    Examples
    --------
    >>> taps = Taps([Tap("segment", kind="labels")])
    >>> [tap.layer for tap in taps.select("segment-1f3a", "segment", None)]
    ['segment']
    >>> taps.select("read-77aa", "read", None)
    []
    """

    def __init__(self, taps: Iterable[Tap] = ()) -> None:
        self.taps = tuple(taps)
        kinds: dict[str, Kind] = {}
        self._by_name: dict[Any, list[int]] = {}
        self._asked: list[int] = []
        self._failed: set[int] = set()
        self._needs_value = any(isinstance(tap.select, type) for tap in self.taps)
        for index, tap in enumerate(self.taps):
            assert tap.layer is not None
            if kinds.setdefault(tap.layer, tap.kind) != tap.kind:
                raise ValueError(
                    f"layer {tap.layer!r} cannot be both {kinds[tap.layer]!r} and {tap.kind!r};"
                    " give one of the taps another layer="
                )
            if isinstance(tap.select, str):
                self._by_name.setdefault(tap.select, []).append(index)
            elif isinstance(tap.select, frozenset):
                for key in tap.select:
                    self._by_name.setdefault(key, []).append(index)
            else:
                self._asked.append(index)

    def __iter__(self) -> Iterator[Tap]:
        return iter(self.taps)

    def __len__(self) -> int:
        return len(self.taps)

    @property
    def needs_value(self) -> bool:
        """Whether a tap selects by the type of the output, so that it must be looked up first."""
        return self._needs_value

    def select(self, key: Any, prefix: str, value: object) -> list[Tap]:
        """Return the taps that choose the output of a task, in order.

        A predicate that raises chooses nothing; that is logged once a tap.

        Parameters
        ----------
        key : str, bytes, int, float or tuple
            The task's key.
        prefix : str
            The task's name.
        value : object
            What it returned.
        """
        by_name = self._by_name
        if not self._asked and prefix not in by_name and key not in by_name:
            return []
        found = {*by_name.get(prefix, ()), *by_name.get(key, ())}
        for index in self._asked:
            try:
                if self.taps[index].matches(key, prefix, value):
                    found.add(index)
            except Exception:
                if index not in self._failed:
                    self._failed.add(index)
                    logger.exception("select= of the tap on %r failed", self.taps[index].layer)
        return [self.taps[index] for index in sorted(found)]
