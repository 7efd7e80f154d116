"""Names of layers, when some axes have one layer for each value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def split_position(
    stream: str,
    position: Mapping[str, T],
    modes: Mapping[str, str],
    names: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[str, dict[str, T], dict[str, T]]:
    """Split a position into the part that names a layer and the rest.

    ``names`` has, by axis, the names of coordinates (as text) for the layer's name.

    Examples
    --------
    >>> names = {"channel": {"1": "DAPI"}}
    >>> split_position("raw", {"well": "A01", "channel": 1}, {"channel": "layer"}, names)
    ('raw [DAPI]', {'well': 'A01'}, {'channel': 1})
    """
    layers = {axis: at for axis, at in position.items() if modes.get(axis) == "layer"}
    if not layers:
        return stream, dict(position), {}
    rest = {axis: at for axis, at in position.items() if axis not in layers}
    known = names or {}
    called = [known.get(axis, {}).get(str(at), str(at)) for axis, at in layers.items()]
    return f"{stream} [{', '.join(called)}]", rest, layers
