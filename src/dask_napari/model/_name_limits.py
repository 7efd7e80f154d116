"""Bounds of names and axes, which both ends of the wire and the taps obey."""

from __future__ import annotations

from typing import Final

NAME_LIMIT: Final = 1024
"""Characters of a layer, axis or publisher name: a label for people, not data."""

AXES_LIMIT: Final = 32
"""Axes of a position or an array; numpy and napari go little further."""
