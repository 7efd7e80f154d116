"""Which side to upgrade when two versions of dask-napari meet."""

from __future__ import annotations

from dask_napari._version import __version__
from dask_napari.stream.wire import messages as wire
from dask_napari.stream.wire._foreign_messages import SHOWN, ForeignMessage

WORKERS = "the cluster's workers and the client"
VIEWER = "the viewer"


def refusal(stranger: wire.Hello | ForeignMessage) -> str:
    """Return the answer of a viewer to a message of another version.

    >>> refusal(wire.Hello(wire.WIRE_VERSION + 1, "9.9", "publisher", "w")).split(": ")[-1]
    'upgrade dask-napari on the viewer'
    """
    name = stranger.name[:SHOWN] or "the other side"
    return _speaks("the viewer") + _advice(stranger, name, here=VIEWER, there=WORKERS)


def complaint(stranger: wire.Welcome | ForeignMessage) -> str:
    """Return the complaint of a worker or client about a viewer of another version.

    >>> complaint(wire.Welcome(0, "0.0", "", 1, 0, 0, 1.0)).split(": ")[-1]
    'upgrade dask-napari on the viewer'
    """
    mine = _speaks("this side")
    if isinstance(stranger, ForeignMessage) and stranger.reason:
        return f"{mine}, and the viewer refused: {stranger.reason}"
    return mine + _advice(stranger, "the viewer", here=WORKERS, there=VIEWER)


def _speaks(side: str) -> str:
    return f"{side} (dask-napari {__version__}) speaks version {wire.WIRE_VERSION} of the wire"


def _tag(message: wire.Message) -> str:
    return str(message.__struct_config__.tag)


def _advice(
    stranger: wire.Hello | wire.Welcome | ForeignMessage, name: str, *, here: str, there: str
) -> str:
    """Return the version of the other side, and which side to upgrade."""
    if stranger.wire is None or stranger.wire == wire.WIRE_VERSION:
        kind = stranger.type if isinstance(stranger, ForeignMessage) else _tag(stranger)
        # A newer side alone has messages that this one does not know.
        return f" and knows no message {kind!r}: upgrade dask-napari on {here}"
    software = f" (dask-napari {stranger.software[:SHOWN]})" if stranger.software else ""
    older = there if stranger.wire < wire.WIRE_VERSION else here
    return f", {name}{software} version {stranger.wire}: upgrade dask-napari on {older}"
