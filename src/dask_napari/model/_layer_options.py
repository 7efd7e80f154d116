"""Which arguments of napari's layers a tap may set; looked at on both ends of the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any, Final

import msgspec
import numpy as np

_ANY_KIND = {"opacity", "blending", "visible", "affine", "rotate", "shear", "projection_mode"}
_VOLUME = {"depiction", "plane", "rendering", "colormap"}
_FACE = {"face_color", "face_color_cycle", "face_colormap", "face_contrast_limits"}
_EDGE = {"edge_color", "edge_color_cycle", "edge_colormap", "edge_contrast_limits", "edge_width"}
_BORDER = {"border_color", "border_color_cycle", "border_colormap", "border_contrast_limits"}
_BORDER |= {"border_width", "border_width_is_relative"}
LAYER_OPTIONS = {
    "image": frozenset(
        _ANY_KIND
        | _VOLUME
        | {"attenuation", "contrast_limits", "custom_interpolation_kernel_2d", "gamma"}
        | {"interpolation2d", "interpolation3d", "iso_threshold"}
    ),
    "labels": frozenset(_ANY_KIND | _VOLUME | {"iso_gradient_mode"}),
    "points": frozenset(
        _ANY_KIND
        | _FACE
        | _BORDER
        | {"antialiasing", "canvas_size_limits", "shading", "size", "symbol", "text"}
    ),
    "shapes": frozenset(_ANY_KIND | _FACE | _EDGE | {"text", "z_index"}),
    "tracks": frozenset(
        _ANY_KIND
        | {"color_by", "colormap", "head_length", "hide_completed_tracks", "tail_length"}
        | {"tail_width"}
    ),
    "vectors": frozenset(_ANY_KIND | _EDGE | {"length", "vector_style"}),
    "surface": frozenset(
        _ANY_KIND | {"colormap", "contrast_limits", "gamma", "normals", "shading", "wireframe"}
    ),
}
"""Arguments of napari's layers that a tap may set, by kind."""

OPTIONS_LIMIT: Final = 64 << 10
"""Bytes of the options of one layer; a colormap of 256 colours takes 9 KB."""

_FIELDS: Final = 8
_TEXT_LENGTH: Final = 200
"""Fields and characters of the text of points and shapes: napari formats it for each of them, and
makes all as long as the longest."""

_KERNEL: Final = 1024
"""Numbers of an interpolation kernel: the graphics card reads as many for each pixel."""

_GEOMETRY: Final = frozenset({"affine", "rotate", "shear"})
_MATRIX: Final = 33 * 33
_LARGEST: Final = 1e20
"""Numbers of a matrix, and the largest. The graphics card has single precision, and what it cannot
invert stops the drawing of all layers."""

_SINGLE: Final = 3e38
"""Largest number of an option: the graphics card takes numbers beyond for infinity, and napari
fails to draw a layer with limits or sizes that are not finite."""

_FORMAT: Final = re.compile(
    r"(.?[<>=^])?[-+ ]?z?#?0?[0-9]{0,2}[,_]?(\.[0-9]{1,2})?[a-zA-Z%]?", re.DOTALL
)
"""Format of a field, of at most 99 characters."""


def unfit_option(name: str, value: Any) -> str:
    """Return why napari must not be given an option, which may come from anybody; empty if it may.

    The text of points and shapes is a format string, which Python would run: it reads attributes,
    and makes texts of any length.

    >>> unfit_option("text", "{area:.1f} um"), unfit_option("text", {"string": "{x:>9999999999}"})
    ('', "the field 'x:>9999999999' is not a feature with a format of at most 99 characters")
    """
    leaves = list(_leaves(value))
    numbers = [leaf for leaf in leaves if isinstance(leaf, int | float)]
    if not all(abs(number) <= _SINGLE for number in numbers):
        return f"a number that is not finite, or beyond {_SINGLE:.0e}"
    if name == "custom_interpolation_kernel_2d" and len(leaves) > _KERNEL:
        return f"{len(leaves)} numbers, more than {_KERNEL}"
    if name in _GEOMETRY:
        return _unfit_geometry(name, value, leaves)
    if name != "text":
        return ""
    return next(filter(None, (_unfit_text(leaf) for leaf in leaves if isinstance(leaf, str))), "")


def _unfit_geometry(name: str, value: Any, leaves: list[Any]) -> str:
    try:
        numbers = np.array(leaves, np.float64)
        if len(leaves) > _MATRIX or not (np.abs(numbers) < _LARGEST).all():
            return f"more than {_MATRIX} numbers, or one that is not below {_LARGEST:g}"
        if name == "affine" and not np.isfinite(np.linalg.inv(np.array(value, np.float32))).all():
            return "a matrix without an inverse"
    except (TypeError, ValueError, OverflowError, np.linalg.LinAlgError) as error:
        return str(error)
    return ""


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry)
    else:
        yield value


def _unfit_text(text: str) -> str:
    if len(text) > _TEXT_LENGTH:
        return f"a text of {len(text)} characters, more than {_TEXT_LENGTH}"
    try:
        fields = [(name, how) for _, name, how, _ in Formatter().parse(text) if name is not None]
    except ValueError:
        return ""  # the name of a feature, for napari
    if len(fields) > _FIELDS:
        return f"{len(fields)} fields, more than {_FIELDS}"
    for name, how in fields:
        if not name or any(c in name for c in ".[]") or not _FORMAT.fullmatch(how or ""):
            field = f"{name}:{how}" if how else name
            return f"the field {field!r} is not a feature with a format of at most 99 characters"
    return ""


def permitted(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that a layer of this kind may have.

    What a peer sends becomes arguments of napari's functions, so only names on the list pass,
    no value that is not fit for napari, and nothing at all if there is more than anybody needs.

    >>> permitted("labels", {"opacity": 0.5, "data": None})
    {'opacity': 0.5}
    """
    allowed = LAYER_OPTIONS.get(kind, frozenset())
    kept = {
        name: value
        for name, value in given.items()
        if name in allowed and not unfit_option(name, value)
    }
    return kept if len(msgspec.msgpack.encode(kept)) <= OPTIONS_LIMIT else {}
