"""Contrast limits that follow the data until the user sets them."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy.typing as npt

from dask_napari.model import ContrastMode
from dask_napari.viewer.layers._recent_ranges import RecentRanges, value_range, visible
from dask_napari.viewer.napari_internals import linked_layers, shown_plane

if TYPE_CHECKING:
    from napari.layers import Layer


TOLERANCE: Final = 0.02
"""Share of the range by which limits must change to be worth a redraw."""

Limits = tuple[float, float]


class Contrast:
    """Contrast limits of one napari layer, which follow the data until somebody sets them.

    Limits that are set on a layer to which the limits are linked count for this one, too.

    Parameters
    ----------
    mode : {"running", "frame", "first"}
        What the limits follow: what came lately, what is in view, or what came first.
    by_hand : bool
        Whether somebody has set limits: the user, or who made the tap.
    """

    _of_layers: ClassVar[weakref.WeakKeyDictionary[Layer, Contrast]] = weakref.WeakKeyDictionary()
    _applying: ClassVar[bool] = False
    """Whether limits change because of the data, on any layer: napari passes changes to linked
    ones, where they are not the user's either."""

    def __init__(self, mode: ContrastMode = "running", *, by_hand: bool = False) -> None:
        self.mode = mode
        self.by_hand = by_hand
        self._wanted: Limits = (0.0, 1.0)
        self._applied: Limits | None = None
        self._seen: Limits | None = None
        self._layer: Callable[[], Layer | None] = lambda: None
        self._shown: Callable[[Layer], npt.NDArray[Any]] = shown_plane

    def __repr__(self) -> str:
        how = "by hand" if self.by_hand else f"{self.mode} {self._wanted}"
        return f"<Contrast {how}>"

    def attach(self, layer: Layer, shown: Callable[[Layer], npt.NDArray[Any]]) -> None:
        """Watch a layer for limits that the user sets; ``shown`` returns the values in view."""
        before = self._layer()
        if before is not None:  # has become the user's own
            before.events.contrast_limits.disconnect(self._on_limits)
            before.events.set_data.disconnect(self._on_view)
            del self._of_layers[before]
        self._of_layers[layer] = self
        self._applied = self._seen = None
        self._layer, self._shown = weakref.ref(layer), shown
        layer.events.contrast_limits.connect(self._on_limits)
        layer.events.set_data.connect(self._on_view)

    def choose(self, mode: ContrastMode) -> None:
        """Follow the data again, the way that the user has chosen, also on linked layers."""
        for each in (self, *self._linked()):
            each.mode, each.by_hand, each._applied = mode, False, None
        self._on_view()

    def follow(self, ranges: RecentRanges) -> None:
        """Bring limits and range of the layer in line with the values that have come."""
        layer = self._layer()
        if layer is None:
            return
        if self.mode != "frame":
            self._wanted = ranges.first if self.mode == "first" else ranges.limits
        elif self._applied is None:
            self._on_view()
        self._apply(layer)
        if ranges.seen != self._seen:
            self._widen(layer, ranges.seen)

    def _widen(self, layer: Layer, seen: Limits) -> None:
        """Let the user's handles reach all values that have been seen."""
        now = layer.contrast_limits
        linked = linked_layers(layer, "contrast_limits")
        if any(other.contrast_limits != now for other in linked):
            return  # napari sets limits with the range, and would pass these on
        self._seen = seen
        low, high = layer.contrast_limits_range
        with self._ours():
            layer.contrast_limits_range = min(low, seen[0]), max(high, seen[1])

    def _apply(self, layer: Layer) -> None:
        """Set the limits on the layer if they have changed enough to be seen."""
        if self.by_hand or not self._is_new(self._wanted):
            return
        linked = [self._of_layers.get(other) for other in linked_layers(layer, "contrast_limits")]
        # Limits of a layer that is not ours are the user's.
        if any(other is None or other.by_hand for other in linked):
            self.by_hand = True
            return
        all_wanted = [self._wanted, *(other._wanted for other in linked if other is not None)]
        with self._ours():
            layer.contrast_limits = min(low for low, _ in all_wanted), max(h for _, h in all_wanted)
        self._applied = self._wanted

    def _is_new(self, wanted: Limits) -> bool:
        if self._applied is None:
            return True
        tolerance = TOLERANCE * (self._applied[1] - self._applied[0])
        return any(abs(a - b) > tolerance for a, b in zip(wanted, self._applied, strict=True))

    def _linked(self) -> list[Contrast]:
        layer = self._layer()
        others = [] if layer is None else linked_layers(layer, "contrast_limits")
        return [self._of_layers[other] for other in others if other in self._of_layers]

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        Contrast._applying, before = True, Contrast._applying
        try:
            yield
        finally:
            Contrast._applying = before

    def _on_limits(self) -> None:
        if not Contrast._applying:
            self.by_hand = True

    def _on_view(self) -> None:
        """Suit the limits to the picture that has come into view."""
        layer = self._layer()
        if layer is None or self.mode != "frame" or self.by_hand:
            return
        found = value_range(self._shown(layer))
        if found is not None:
            self._wanted = visible([found])
            self._apply(layer)
