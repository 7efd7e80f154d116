"""Compiled taps: taps whose options are checked and final, as workers use them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dask_napari.coerce import ValueOf
from dask_napari.model import Calibration, Kind, LayerSpec, Policy, Position
from dask_napari.placement import ChunkGrid
from dask_napari.tap._placement_rule import PlacementRule
from dask_napari.tap._selectors import Selector


@dataclass(frozen=True)
class CompiledTap:
    """Tap in its final form; :meth:`Tap.compile` makes it.

    ``spec`` is declared before the first item; ``rgb`` is None to guess it for each output;
    ``value`` is the part of an output that is shown, None for all of it;
    ``columns`` are the names that the user gives for columns of a table.
    """

    selector: Selector
    spec: LayerSpec
    rule: PlacementRule
    calibration: Calibration
    policy: Policy
    copy: Literal["lazy", "eager"]
    rgb: bool | None
    value: ValueOf | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def layer(self) -> str:
        """Name of the layer."""
        return self.spec.name

    @property
    def kind(self) -> Kind:
        """Type of the layer."""
        return self.spec.kind

    @functools.cached_property
    def selection(self) -> str:
        """Name of the tasks or the array that is tapped; otherwise what it selects by."""
        selector = self.selector
        if isinstance(selector, str):
            return selector
        if isinstance(selector, frozenset):
            return f"{len(selector)} keys"
        if isinstance(selector, ChunkGrid):
            return selector.name
        return str(getattr(selector, "__name__", type(selector).__name__))

    @functools.cached_property
    def title(self) -> str:
        """The tap as people know it."""
        selector, text = self.selector, self.selection
        if isinstance(selector, str):
            text = f'"{text}"'
        elif isinstance(selector, frozenset):
            text = f"of {text}"
        elif isinstance(selector, ChunkGrid):
            text = f'of the array "{text}"'
        else:
            text = f"by {text}"
        return text if self.layer == selector else f'{text} on layer "{self.layer}"'

    @functools.cached_property
    def own_axes(self) -> frozenset[str]:
        """Axes with a layout that no pattern reads: outputs have them, or nothing has."""
        pattern = self.rule.pattern
        fields = pattern.fields if pattern is not None else ()
        return frozenset(self.spec.axes) - frozenset(fields)

    def note_on_axes(self, position: Position) -> str:
        """Return what is to be said of the axes that a position lacks; empty if it has all.

        >>> from dask_napari import Tap
        >>> tap = Tap("read", at="{well}.tif", axes={"site": "mosaic"}).compile()
        >>> tap.note_on_axes({"well": "A01"}), tap.note_on_axes({"well": "A01", "site": 1})
        ("no output has an axis 'site', which axes= lays out; there are 'well'", '')
        """
        missing = self.own_axes.difference(position)
        if not missing:
            return ""
        return (
            f"no output has an axis {', '.join(map(repr, sorted(missing)))}, which axes= lays out;"
            f" there are {', '.join(map(repr, position)) or 'none'}"
        )

    @property
    def chunks(self) -> ChunkGrid | None:
        """Chunks of the array that is tapped; None for a tap on other tasks."""
        return self.rule.grid

    @property
    def calls(self) -> bool:
        """True if a function of the user's places outputs, or chooses their parts."""
        return self.rule.calls or callable(self.value)

    def matches(self, key: Any, prefix: str, output_type: type | None = None) -> bool:
        """Return whether the tap chooses a task's output; its type matters if it is known."""
        selector = self.selector
        if isinstance(selector, str):
            return selector in (prefix, key)
        if isinstance(selector, frozenset | ChunkGrid):
            return key in selector
        if isinstance(selector, type):
            return output_type is not None and issubclass(output_type, selector)
        return bool(selector(key))
