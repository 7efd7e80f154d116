"""Units and origin in which calibrated layers are drawn, so that napari can take their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from dask_napari.model import Calibration
from dask_napari.viewer.napari_internals import compact_unit, conversion_factor, unit_kind

ORDINARY: Final = 1e-3, 1e3
"""Pixel sizes in a unit that are left as they are. napari draws nothing at 1e-12, and counts all
layers by the smallest pixel: sizes far from 1 keep others, such as those without any, away."""

ORDINARY_NUMBERS: Final = 1e-5, 1e5
"""Pixel sizes without a unit that are left: no other unit could say what became of the numbers."""

NEAR: Final = 2**20
"""Pixels from the origin up to which layers are drawn exactly; they begin at the origin instead."""


Axis = tuple[str, int]
"""Kind of unit, and number of an axis from the last, 1."""


class Unit(NamedTuple):
    """Unit that is drawn, and the factor to it where numbers have no unit."""

    name: str
    factor: float


class WorldFrame:
    """Units and origin common to all calibrated layers of a viewer.

    The first layer with a unit of a kind (a length, a time, or none at all) decides: layers of that
    kind are drawn in its unit, or in a multiple of it that makes its pixels about 1 if they are
    far from that; and along an axis on which it lies far away, from where it begins. What is
    drawn is the stated size and place, in other numbers: layers lie to each other as they should.
    Layers without calibration are drawn as they are.

    A frame does not change; :meth:`extended` returns the one that an item needs.

    >>> known = Calibration(scale=(1e-7, 1e-7), translate=(0.5, 0.0), units=("m", "m"))
    >>> drawn = WorldFrame().extended(known).drawn(known)
    >>> [round(size) for size in drawn.scale], drawn.translate, drawn.units
    ([100, 100], (0.0, 0.0), ('nanometer', 'nanometer'))
    """

    def __init__(
        self, units: Mapping[str, Unit] | None = None, origins: Mapping[Axis, float] | None = None
    ) -> None:
        self._units: Mapping[str, Unit] = units or {}
        """By kind, how layers are drawn that have a unit of the kind."""
        self._origins: Mapping[Axis, float] = origins or {}
        """From where axes are drawn, in the unit that is drawn."""
        self._last: tuple[Calibration, Calibration] | None = None
        """Last calibration, as stated and as drawn; the next item probably has an equal one."""

    def __repr__(self) -> str:
        units = ", ".join(unit.name for unit in self._units.values())
        far = {axis: at for axis, at in self._origins.items() if at}
        return f"<WorldFrame in {units or 'any unit'}, origins {far}>"

    def extended(self, known: Calibration) -> WorldFrame:
        """Return the frame with all that a calibration needs; this one if it has that."""
        if self._last is not None and self._last[0] == known:
            return self
        smallest: dict[str, float] = {}
        for size, unit in _axes(known):
            kind = unit_kind(unit)
            if kind not in self._units:
                smallest[kind] = min(abs(size), smallest.get(kind, math.inf))
        frame = self
        if smallest:
            named = {unit_kind(unit): unit for _, unit in _axes(known)}
            new = {kind: _unit(named[kind], kind, size) for kind, size in smallest.items()}
            frame = WorldFrame({**self._units, **new}, self._origins)
        origins: dict[Axis, float] = {}
        for axis, place, size in frame._places(known):
            if axis not in self._origins:
                origins[axis] = place if abs(place) > NEAR * abs(size) else 0.0
        return WorldFrame(frame._units, {**self._origins, **origins}) if origins else frame

    def drawn(self, known: Calibration) -> Calibration:
        """Return the calibration that is drawn for one as stated, which may be the very one."""
        if self._last is None or self._last[0] != known:
            self._last = known, self._drawn(known)
        elif self._last[1] is self._last[0]:
            return known
        return self._last[1]

    def _drawn(self, known: Calibration) -> Calibration:
        factors = [self._factor(unit) for _, unit in _axes(known)]
        origins = [self._origins[axis] for axis, _, _ in self._places(known)]
        if all(factor == 1.0 for factor in factors) and not any(origins):
            return known
        return replace(
            known,
            scale=tuple(size * by for (size, _), by in zip(_axes(known), factors, strict=True)),
            translate=tuple(
                place * by - origin
                for place, by, origin in zip(known.translate, factors, origins, strict=False)
            ),
            units=tuple(
                self._units[kind].name if (kind := unit_kind(unit)) else unit
                for unit in known.units
            ),
        )

    def stated(self, drawn: Calibration) -> Calibration:
        """Return what a calibration that is drawn says of sizes and places outside of the viewer.

        >>> known = Calibration(scale=(1e-3, 1e-3), translate=(1.7e9, 0.0), units=("s", "pixel"))
        >>> frame = WorldFrame().extended(known)
        >>> frame.drawn(known).translate, frame.stated(frame.drawn(known)) == known
        ((0.0, 0.0), True)
        """
        origins = [self._origins[axis] for axis, _, _ in self._places(drawn)]
        factors = [1.0 if unit_kind(unit) else self._factor(unit) for _, unit in _axes(drawn)]
        if all(factor == 1.0 for factor in factors) and not any(origins):
            return drawn
        return replace(
            drawn,
            scale=tuple(size / by for size, by in zip(drawn.scale, factors, strict=False)),
            translate=tuple(
                (place + origin) / by
                for place, origin, by in zip(drawn.translate, origins, factors, strict=False)
            ),
        )

    def difference(self, known: Calibration) -> str:
        """Say how what is drawn differs from a calibration as it is stated.

        >>> known = Calibration(scale=(1e-7, 1e-7))
        >>> WorldFrame().extended(known).difference(known)
        'drawn with numbers times 1e+07'
        """
        parts: dict[str, None] = {}
        for _, unit in _axes(known):
            kind, factor = unit_kind(unit), self._factor(unit)
            if factor != 1.0:
                name = self._units[kind].name
                parts[
                    f"in {name} for {unit[:40]}" if kind else f"with numbers times {factor:g}"
                ] = None
        origins = [self._origins[axis] for axis, _, _ in self._places(known)]
        if any(origins):
            parts[f"from {', '.join(f'{origin:.10g}' for origin in origins)} on, not from 0"] = None
        return f"drawn {', '.join(parts)}"

    def _places(self, known: Calibration) -> Iterator[tuple[Axis, float, float]]:
        """Yield each axis for which a calibration states a place, with place and pixel size."""
        if known.translate:
            for turn, (place, (size, unit)) in enumerate(
                zip(known.translate, _axes(known), strict=True)
            ):
                factor = self._factor(unit)
                axis = unit_kind(unit), len(known.translate) - turn
                yield axis, place * factor, size * factor

    def _factor(self, stated: str) -> float:
        """Return the factor from numbers in a unit to those that are drawn."""
        kind = unit_kind(stated)
        drawn = self._units[kind]
        if not kind or drawn.name == stated:
            return drawn.factor
        return conversion_factor(stated, drawn.name)


def _axes(known: Calibration) -> list[tuple[float, str]]:
    """Return pixel size and unit of each axis."""
    count = max(len(known.scale), len(known.translate), len(known.units))
    scale, units = known.scale or (1.0,) * count, known.units or ("pixel",) * count
    return list(zip(scale, units, strict=True))


def _unit(stated: str, kind: str, size: float) -> Unit:
    """Return the unit to draw pixels of a size in."""
    least, most = ORDINARY if kind else ORDINARY_NUMBERS
    if least <= size <= most:
        return Unit(stated, 1.0)
    if not kind:
        return Unit("pixel", 10.0 ** -math.floor(math.log10(size)))
    return Unit(compact_unit(size, stated), 1.0)
