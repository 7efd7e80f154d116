"""The world: how far all layers reach along the axes in space that they share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from dask_napari.model import Refusal

MOST_STEPS: Final = 9 * 10**8
"""Steps from one end of an axis to the other. napari has a slider for each axis, counts its steps
by the smallest pixel of all layers, and asks Qt for a field of as many digits, whose numbers have
32 bits: with ten digits, no layer is drawn any more. The headings of a plate lie outside of it."""

FARTHEST_PLACE: Final = 2**23
"""Pixels from the origin to where a layer begins. Graphics cards count in floats of 24 bits: there
a layer lies half a pixel off; at 1e8 it is noise, at 1e9 black."""

LONGEST_PIXEL: Final = 1e6
"""Length of a pixel by its width: of a layer with longer ones, only a line could be seen."""

PLANE: Final = 2
"""Axes of a plane. All layers have them; along those before them, planes are repeated."""


class WorldSpan(NamedTuple):
    """Centres of the first and the last pixel along an axis, and the size of a pixel."""

    low: float
    high: float
    step: float
    unit: str = "pixel"


ORIGIN: Final = WorldSpan(0.0, 0.0, math.inf)
"""Place of layers without calibration, which the world always has room for: one may come later."""


class World:
    """Spans of all layers together, by axis in space.

    A layer that would make the world larger than napari can count is refused before napari or any
    other layer learns of it. Axes are aligned at the last one, as napari does.

    >>> world = World()
    >>> world.admit([WorldSpan(0, 59, 1), WorldSpan(0, 79, 1)])
    True
    >>> world.check([WorldSpan(0, 1e-10, 1e-12)])
    Traceback (most recent call last):
    dask_napari.model._refusal.Refusal: 7.9e+13 pixels of 1e-12 from one end of all layers ...
    """

    def __init__(self, outside: Callable[[], Iterable[Sequence[WorldSpan]]] = tuple) -> None:
        self.outside: Callable[[], Iterable[Sequence[WorldSpan]]] = outside
        """Returns the spans of layers that are there besides, such as those of the user."""
        self.version: int = 0  # grows with the axes along which planes are repeated
        self._spans: tuple[WorldSpan, ...] = ()  # the last axis first

    def __repr__(self) -> str:
        reach = ", ".join(f"{span.low:g} to {span.high:g}" for span in reversed(self._spans))
        return f"<World {reach}>"

    def span(self, axis: int) -> WorldSpan | None:
        """Return the span of an axis, which is counted from the last, 0; None if it has none."""
        return self._spans[axis] if axis < len(self._spans) else None

    def check(self, spans: Sequence[WorldSpan]) -> None:
        """Raise a Refusal if napari could not draw a layer of these spans beside the others."""
        self._joined(spans)

    def admit(self, spans: Sequence[WorldSpan]) -> bool:
        """Make room for a layer; return whether the world grew. Raises what :meth:`check` does."""
        old, self._spans = self._spans, self._joined(spans)
        self.version += self._spans[PLANE:] != old[PLANE:]
        return self._spans != old

    @property
    def lengths(self) -> tuple[int, ...]:
        """Number of pixels from one end of each axis to the other; 1 for those of a plane."""
        deep = [1 + round((high - low) / step) for low, high, step, _ in self._spans[PLANE:]]
        return (*reversed(deep), *(1,) * min(PLANE, len(self._spans)))

    def _covers(self, spans: Sequence[WorldSpan]) -> bool:
        """Return whether spans change nothing, as those of most items do; it takes 1 us."""
        if len(spans) > len(self._spans):
            return False
        for span, known in zip(reversed(spans), self._spans, strict=False):
            if span.low < known.low or span.high > known.high or not span.step >= known.step:
                return False
            if span.unit != known.unit == "pixel":
                return False
        return True

    def _joined(self, spans: Sequence[WorldSpan]) -> tuple[WorldSpan, ...]:
        if self._covers(spans):
            return self._spans
        joined = _unions(self._spans, spans[::-1])
        if joined != self._spans:
            outside = (each[::-1] for each in self.outside())
            _check(_unions(joined, (ORIGIN,) * len(joined), *outside))
        return joined


def check_pixels(translate: Sequence[float], scale: Sequence[float]) -> None:
    """Raise a Refusal if pixels of a scale cannot be drawn at a place."""
    plane = sorted(map(abs, scale[-PLANE:]))
    if plane and not plane[-1] <= LONGEST_PIXEL * plane[0]:
        raise Refusal(
            "cannot be drawn: pixels that are too long",
            f"pixels of {plane[-1]:g} by {plane[0]:g} cannot be seen: one side is at most"
            f" {LONGEST_PIXEL:,.0f} times the other",
        )
    for place, size in zip(translate, scale or itertools.repeat(1.0), strict=False):
        if not abs(place) <= FARTHEST_PLACE * abs(size):
            raise Refusal(
                "cannot be drawn: too far away",
                f"pixels of {abs(size):g} cannot be drawn at {place:g}: at most {FARTHEST_PLACE:,}"
                " pixels from the origin, or from the first layer if that is far from it",
            )


def _unions(*layers: Sequence[WorldSpan]) -> tuple[WorldSpan, ...]:
    """Return the spans of all layers together, by axis."""
    return tuple(
        WorldSpan(
            min(span.low for span in spans if span),
            max(span.high for span in spans if span),
            min(span.step for span in spans if span),
            next((span.unit for span in spans if span and span.unit != "pixel"), "pixel"),
        )
        for spans in itertools.zip_longest(*layers)
    )


def _check(spans: Iterable[WorldSpan]) -> None:
    for low, high, step, _ in spans:
        if not high - low <= MOST_STEPS * step:
            raise Refusal(
                "cannot be drawn: too far apart",
                f"{(high - low) / step:.3g} pixels of {step:g} from one end of all layers to the"
                f" other; napari counts to {MOST_STEPS:,}",
            )
