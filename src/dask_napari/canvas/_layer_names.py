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

    Parameters
    ----------
    stream : str
        Name of the stream of items.
    position : mapping of str to coordinate
        Where an item belongs.
    modes : mapping of str to str
        Axis name to ``"layer"`` or another mode.
    names : mapping of str to mapping of str to str, optional
        For each axis, the name of a coordinate (as text).

    Returns
    -------
    name : str
        Layer name, such as ``"raw [DAPI]"``.
    rest, layers : dict
        The two parts of the position.

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
