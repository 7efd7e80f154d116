"""How taps reach the sinks, without a restart of their stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from distributed import WorkerPlugin

from dask_napari.sink._napari_sink import SINK_NAME, sinks_of
from dask_napari.tap import Tap

if TYPE_CHECKING:
    from distributed import Worker


class TapsUpdate(WorkerPlugin):
    """Carry the taps to the sinks of one name; registered again at each change.

    A plugin of its own because registering the sink again would restart its stream. It reaches
    workers that come later too.

    >>> TapsUpdate({"a": Tap("segment", kind="labels")}, "dask-napari-0f")
    <TapsUpdate dask-napari-0f-taps: 1 taps>
    """

    def __init__(self, taps: Mapping[str, Tap], sink: str = SINK_NAME) -> None:
        self.name: str = f"{sink}-taps"
        self.sink = sink
        self.taps: dict[str, Tap] = dict(taps)

    def __repr__(self) -> str:
        return f"<TapsUpdate {self.name}: {len(self.taps)} taps>"

    def setup(self, worker: Worker) -> None:
        """Hand the taps over. Called by Dask."""
        for sink in sinks_of(worker):
            if sink.name == self.sink:
                sink.set_taps(self.taps)
