"""How taps reach the sinks, without a restart of their stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dask_napari.model import Refusal
from dask_napari.sink import _sent_taps
from dask_napari.sink._napari_sink import SINK_NAME, sinks_of
from dask_napari.sink._portable import PortablePlugin
from dask_napari.tap import Tap

if TYPE_CHECKING:
    from distributed import Worker


class TapsUpdate(PortablePlugin):
    """Carry the taps to the sinks of one name; registered again at each change.

    A plugin of its own because registering the sink again would restart its stream. It reaches
    workers that come later too. A sink ignores an update with a lower number than the last: a
    worker that was stopped may get several at once, in any order.

    >>> TapsUpdate({"a": Tap("segment", kind="labels")}, "dask-napari-0f")
    <TapsUpdate dask-napari-0f-taps: 1 taps>
    """

    told = False  # what the sink tells is enough

    def __init__(self, taps: Mapping[str, Tap], sink: str = SINK_NAME, number: int = 0) -> None:
        self.name: str = f"{sink}-taps"
        self.number = number
        self.sink = sink
        self.taps: dict[str, Tap] = dict(taps)
        self._refusals: list[Refusal] = []

    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "number": self.number,
            "sink": self.sink,
            "taps": _sent_taps.sent(self.taps),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.taps, self._refusals = _sent_taps.opened(state["taps"])

    def __repr__(self) -> str:
        return f"<TapsUpdate {self.name}: {len(self.taps)} taps>"

    def setup(self, worker: Worker) -> None:
        """Hand the taps over. Called by Dask."""
        for sink in sinks_of(worker):
            if sink.name == self.sink:
                sink.set_taps(self.taps, self._refusals, number=self.number)
