"""Colours of the dock, from the roles of napari's theme, so that texts can be read on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

TEXT_CONTRAST: Final = 4.5
"""Least contrast of a text with its background, of WCAG 2.1, level AA."""

SHAPE_CONTRAST: Final = 3.0
"""Least contrast of parts of a drawing with their background, of WCAG 2.1, level AA."""

STEPS: Final = 20
"""Steps in which a colour moves to that of texts until it can be seen."""

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class DockColours:
    """Colours by role; texts have a contrast of 4.5 with the background, shapes one of 3."""

    background: RGB
    panel: RGB
    text: RGB
    faint: RGB
    error: RGB
    warning: RGB
    link: RGB
    shown: RGB
    done: RGB
    waiting: RGB
    failed: RGB
    good: RGB

    @staticmethod
    @cache
    def of(theme: str) -> DockColours:
        """Return the colours that suit a theme of napari's.

        >>> contrast(DockColours.of("dark").error, DockColours.of("dark").background) >= 4.5
        True
        """
        roles = get_theme(theme)
        background, panel, text, error, warning, current, secondary = (
            _rgb(getattr(roles, role))
            for role in (
                "background",
                "foreground",
                "text",
                "error",
                "warning",
                "current",
                "secondary",
            )
        )
        under = background, panel

        def read(colour: RGB) -> RGB:
            return _seen(colour, under, text, TEXT_CONTRAST)

        shown = _seen(current, under, text, SHAPE_CONTRAST)
        return DockColours(
            background,
            panel,
            text,
            faint=read(blend(text, background, 0.45)),
            error=read(error),
            warning=read(warning),
            link=read(current),
            shown=shown,
            done=blend(shown, background, 0.45),
            waiting=secondary,
            failed=_seen(error, under, text, SHAPE_CONTRAST),
            good=read(GREEN),
        )


GREEN: Final[RGB] = (60, 170, 90)
"""Colour of what is well, a role that napari's themes do not have."""


def qcolor(rgb: RGB) -> QColor:
    """Return a colour as Qt takes it."""
    return QColor(*rgb)


def css(rgb: RGB) -> str:
    """Return a colour as style sheets have it."""
    return f"rgb{rgb}"


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast of two colours, from 1 to 21, as WCAG 2.1 defines it.

    >>> contrast((0, 0, 0), (255, 255, 255))
    21.0
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def blend(one: RGB, other: RGB, share: float) -> RGB:
    """Return a colour on the way from one to another."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _seen(colour: RGB, under: Iterable[RGB], text: RGB, least: float) -> RGB:
    """Return the colour nearest to one that has a contrast with all that it lies on."""
    steps = (blend(colour, text, step / STEPS) for step in range(STEPS))
    return next(
        (each for each in steps if all(contrast(each, other) >= least for other in under)), text
    )


def _luminance(rgb: RGB) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in rgb)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(color: object) -> RGB:
    red, green, blue = color.as_rgb_tuple()[:3]  # type: ignore[attr-defined]
    return red, green, blue
