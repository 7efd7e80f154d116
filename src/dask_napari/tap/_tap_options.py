"""Options of a tap, for the type checkers of those who write and wrap taps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from dask_napari.coerce import ValueOf
from dask_napari.model import ContrastMode, Kind, Policy, Sizes
from dask_napari.tap._axis_layouts import AxisLayouts
from dask_napari.tap._placement_rule import At


class ShowOptions(TypedDict, total=False):
    """Options that :func:`dask_napari.show` shares with :class:`~dask_napari.Tap`."""

    kind: Kind
    axes: AxisLayouts
    scale: float | Sequence[float] | None
    units: str | Sequence[str] | None
    translate: float | Sequence[float] | None
    policy: Policy
    rgb: bool | None
    options: Mapping[str, Any] | None
    sizes: Sizes
    fill: float
    contrast: ContrastMode
    columns: Mapping[str, str] | None


class TapOptions(ShowOptions, total=False):
    """All parameters of :class:`~dask_napari.Tap` but ``select``, which is positional.

    Annotate a wrapper of :meth:`Live.tap <dask_napari.Live.tap>` with it, and a type checker
    knows the wrapper's options:

    >>> from typing import Unpack
    >>> def tap_cells(live, name: str, **options: Unpack[TapOptions]):
    ...     return live.tap(name, kind="labels", **options)
    """

    layer: str | None
    at: At | None
    copy: Literal["lazy", "eager"]
    value: ValueOf | None
    dims: Sequence[str] | None
