"""Checks of what a user hands to a tap: made uniform, or refused with the remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from dask_napari.model._bounds import AXES_LIMIT, NAME_LIMIT
from dask_napari.model._layer import LayerSpec
from dask_napari.model._layer_options import (
    LAYER_OPTIONS,
    OPTIONS_LIMIT,
    permitted,
    unfit_option,
)

_ELSEWHERE = {
    "name": "say layer=",
    "data": "it is what the tasks return",
    "ndim": "it is that of what the tasks return",
    "scale": "say scale= of the tap",
    "translate": "say translate= of the tap",
    "units": "say units= of the tap",
    "rgb": "say rgb= of the tap",
    "axis_labels": "the axes are named by at=",
    "multiscale": "a live layer has one resolution",
    "metadata": "the viewer keeps the provenance of each item there",
    "cache": "a live layer is never cached",
    "features": "they come with what the tasks return",
    "properties": "features come with what the tasks return",
    "shape_type": "it comes with what the tasks return, as (vertices, 'polygon')",
    "graph": "it comes with what the tasks return, as (tracks, graph)",
}


def one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Refuse a value that is not among those allowed."""
    if value not in allowed:
        hint = _hint(value, allowed)
        known = ", ".join(map(repr, allowed))
        raise ValueError(f"{name}={value!r} is not one of {known}{hint and f'; {hint}'}")


def layer_name(value: object) -> None:
    """Refuse a value that is not the name of a layer."""
    if not isinstance(value, str) or not value:
        raise TypeError(f"layer={value!r} is not a layer name; give some text")


def numbers(name: str, value: object) -> tuple[float, ...]:
    """Return one number or several as a tuple; empty for None."""
    if value is None:
        return ()
    try:
        found = tuple(float(entry) for entry in np.atleast_1d(np.asarray(value, dtype=float)))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}={value!r} is neither a number nor a list of numbers") from error
    if not all(map(math.isfinite, found)):
        raise ValueError(f"{name}={value!r} holds a number that is not finite")
    return found


def names(
    name: str,
    value: object,
    wanted: str = "names, such as ['z', 'y', 'x']",
    *,
    may_be_empty: bool = False,
) -> tuple[str, ...]:
    """Return names as a tuple; empty for None."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(
        isinstance(text, str) and (text or may_be_empty) for text in value
    ):
        raise TypeError(f"{name}={value!r} is not a list of {wanted}")
    return tuple(value)


def number(name: str, value: object) -> float:
    """Return one finite number, numpy's too, as a float."""
    found = numbers(name, value)
    if len(found) != 1 or isinstance(value, bool | str | list | tuple):
        raise TypeError(f"{name}={value!r} is not one number")
    return found[0]


def units(value: object) -> tuple[str, ...]:
    """Return one unit name or several as a tuple; empty for None."""
    return names(
        "units", (value,) if isinstance(value, str) else value, "unit names, such as ['micrometer']"
    )


def _hint(name: object, allowed: Collection[str]) -> str:
    """Return the question after a name that was mistyped, if it resembles one that is allowed."""
    near = difflib.get_close_matches(str(name), allowed, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def declared(spec: LayerSpec) -> None:
    """Refuse a layer that no viewer could be told of.

    Raises ValueError if a name is too long or not text for people, or there are too many axes.
    """
    if len(spec.axes) > AXES_LIMIT:
        raise ValueError(f"{len(spec.axes)} axes on layer {spec.name!r}; {AXES_LIMIT} at most")
    for name in (spec.name, *spec.axes):
        if why := unfit_name(name):
            raise ValueError(f"layer or axis {name[:40]!r}: {why}; give a shorter, plain name")
    if spec.options and not permitted(spec.kind, spec.options):
        raise ValueError(f"options of layer {spec.name!r}: more than {OPTIONS_LIMIT} bytes")


def options(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer's options as plain data, fit for the wire."""
    allowed = LAYER_OPTIONS[kind]
    for name in given:
        if name in _ELSEWHERE:
            raise ValueError(f"option {name!r} is not set here: {_ELSEWHERE[name]}")
        if name not in allowed:
            hint = _hint(name, allowed) or f"there are {sorted(allowed)}"
            raise ValueError(f"option {name!r} is unknown to napari's {kind} layers; {hint}")
    return {name: option(name, value) for name, value in given.items()}


def option(name: str, value: Any) -> Any:
    """Return an option as plain data. Raises ValueError or TypeError if napari must not have it."""
    plain = _plain(name, value)
    if why := unfit_option(name, plain):
        raise ValueError(f"option {name!r}: {why}")
    return plain


def _plain(name: str, value: Any) -> Any:
    """Return an option as text, numbers, flags and lists and mappings of them."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"option {name!r}: {value} does not fit into 64 bits")
    if value is None or isinstance(value, int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, entry) for entry in value]
    if isinstance(value, Mapping) and all(isinstance(k, str | int | None) for k in value):
        return {_plain(name, key): _plain(name, entry) for key, entry in value.items()}
    raise TypeError(
        f"option {name!r}: a {type(value).__name__} cannot be sent to the viewer; give text,"
        " numbers, flags, or lists of them (a colormap by its name)"
    )


def unfit_name(name: str) -> str:
    """Return why a name cannot travel, as it is counted; empty if it can.

    >>> unfit_name("cells"), unfit_name("c" * 2000)
    ('', 'name too long')
    """
    if len(name) > NAME_LIMIT:
        return "name too long"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "name that is not Unicode"
    return ""
