"""Which side to upgrade when two versions of dask-napari meet."""

from __future__ import annotations

from dask_napari._version import __version__
from dask_napari.stream.wire import messages as wire

WORKERS = "the cluster's workers and the client"
VIEWER = "the viewer"


def refusal(stranger: wire.Hello | wire.ForeignMessage) -> str:
    """Return the answer of a viewer to a message of another version.

    >>> refusal(wire.Hello(wire.WIRE_VERSION + 1, "9.9", "publisher", "w")).split(": ")[-1]
    'upgrade dask-napari on the viewer'
    """
    mine = f"the viewer (dask-napari {__version__}) speaks version {wire.WIRE_VERSION} of the wire"
    if stranger.wire is None or stranger.wire == wire.WIRE_VERSION:
        kind = stranger.type if isinstance(stranger, wire.ForeignMessage) else "HELLO"
        # A newer side alone has messages that this one does not know.
        return f"{mine} and knows no message {kind!r}: upgrade dask-napari on {VIEWER}"
    name = stranger.name[: wire.SHOWN] or "the other side"
    software = f" (dask-napari {stranger.software[: wire.SHOWN]})" if stranger.software else ""
    older = WORKERS if stranger.wire < wire.WIRE_VERSION else VIEWER
    theirs = f"{name}{software} version {stranger.wire}"
    return f"{mine}, {theirs}: upgrade dask-napari on {older}"


def complaint(stranger: wire.Welcome | wire.ForeignMessage) -> str:
    """Return the complaint of a worker or client about a viewer of another version.

    >>> complaint(wire.Welcome(0, "0.0", "", 1, 0, 0, 1.0)).split(": ")[-1]
    'upgrade dask-napari on the viewer'
    """
    mine = f"this side (dask-napari {__version__}) speaks version {wire.WIRE_VERSION} of the wire"
    if isinstance(stranger, wire.ForeignMessage) and stranger.reason:
        return f"{mine}, and the viewer refused: {stranger.reason}"
    if stranger.wire is None or stranger.wire == wire.WIRE_VERSION:
        kind = stranger.type if isinstance(stranger, wire.ForeignMessage) else "WELCOME"
        return f"{mine} and knows no message {kind!r}: upgrade dask-napari on {WORKERS}"
    software = f" (dask-napari {stranger.software[: wire.SHOWN]})" if stranger.software else ""
    older = VIEWER if stranger.wire < wire.WIRE_VERSION else WORKERS
    return f"{mine}, the viewer{software} version {stranger.wire}: upgrade dask-napari on {older}"
