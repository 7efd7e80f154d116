"""Making a napari layer without the options that napari refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

NapariLayer = TypeVar("NapariLayer")


def make_layer(
    make: Callable[[dict[str, Any]], NapariLayer], options: Mapping[str, Any]
) -> tuple[NapariLayer, dict[str, Exception]]:
    """Make a layer with the options that napari takes; return the others with their errors.

    >>> def make(options):
    ...     return sorted(options, key=lambda name: 1 / options[name])
    >>> make_layer(make, {"a": 2, "b": 0})
    (['a'], {'b': ZeroDivisionError('division by zero')})
    """
    refused: dict[str, Exception] = {}
    gamma = options.get("gamma", 1)
    if not isinstance(gamma, int | float) or not gamma > 0:
        # The layer takes it; the window raises, when the layer is in the list already.
        refused["gamma"] = ValueError(f"gamma is {gamma!r}, not a number above 0")
    options = {name: value for name, value in options.items() if name not in refused}
    try:
        return make(dict(options)), refused
    except Exception:
        layer = make({})
    kept: dict[str, Any] = {}
    for name, value in options.items():
        try:
            layer = make({**kept, name: value})
        except Exception as error:
            refused[name] = error
        else:
            kept[name] = value
    return layer, refused
