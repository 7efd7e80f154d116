"""Which layer a position belongs to, when some of its axes are one layer a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def split(
    stream: str, position: Mapping[str, T], modes: Mapping[str, str]
) -> tuple[str, dict[str, T], dict[str, T]]:
    """Split a position into the part that names a layer and the part that sliders show.

    Parameters
    ----------
    stream : str
        Name of the stream of items.
    position : mapping of str to coordinate
        Where an item belongs.
    modes : mapping of str to str
        Axis name to ``"layer"`` or ``"slider"``; axes not named are sliders.

    Returns
    -------
    name : str
        Layer name, such as ``"raw [DAPI]"``.
    sliders, layers : dict
        The two parts of the position.

    Examples
    --------
    >>> split("raw", {"well": "A01", "channel": "DAPI"}, {"channel": "layer"})
    ('raw [DAPI]', {'well': 'A01'}, {'channel': 'DAPI'})
    """
    layers = {axis: at for axis, at in position.items() if modes.get(axis) == "layer"}
    if not layers:
        return stream, dict(position), {}
    sliders = {axis: at for axis, at in position.items() if axis not in layers}
    return f"{stream} [{', '.join(map(str, layers.values()))}]", sliders, layers
