"""The ledger of a worker's sinks among the metrics that Dask's ``/metrics`` shows to Prometheus."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import dask

from dask_napari.model import Tally


class OutputsCollector:
    """Collect the ledger of all workers of this process, by layer.

    Dask shows the metrics of a process at the port of each of its workers.
    """

    def __init__(self, tallies: Callable[[], Mapping[str, Tally]]) -> None:
        self._tallies = tallies

    def __repr__(self) -> str:
        return f"<OutputsCollector of {len(self._tallies())} layers>"

    def collect(self) -> Iterator[Any]:
        """Yield the metrics. Called by Prometheus' library."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        namespace = dask.config.get("distributed.dashboard.prometheus.namespace", "dask")
        name = f"{namespace}_worker_napari" if namespace else "worker_napari"
        selected = CounterMetricFamily(
            f"{name}_selected_outputs", "Outputs that taps selected.", labels=["layer"]
        )
        ended = CounterMetricFamily(
            f"{name}_ended_outputs",
            "Outputs that were sent to the viewer, coalesced, or dropped.",
            labels=["layer", "end", "reason"],
        )
        pending = GaugeMetricFamily(
            f"{name}_pending_outputs", "Outputs that wait for the viewer.", labels=["layer"]
        )
        for layer, tally in self._tallies().items():
            selected.add_metric([layer], tally.selected)
            pending.add_metric([layer], tally.pending)
            for end, number in (("sent", tally.sent), ("coalesced", tally.coalesced)):
                ended.add_metric([layer, end, ""], number)
            for reason, number in tally.dropped.items():
                ended.add_metric([layer, "dropped", reason], number)
        yield from (selected, ended, pending)


class SharedCollector:
    """Register a collector while any worker of this process has a sink.

    Only where Dask has imported ``prometheus_client`` does it serve metrics; elsewhere, nothing is
    registered.
    """

    def __init__(self) -> None:
        self._sources: dict[object, Callable[[], Mapping[str, Tally]]] = {}
        self._collector: OutputsCollector | None = None

    def __repr__(self) -> str:
        return f"<SharedCollector of {len(self._sources)} sinks>"

    def add(self, owner: object, tallies: Callable[[], Mapping[str, Tally]]) -> None:
        """Collect the tallies of a sink, too."""
        self._sources[owner] = tallies
        library: Any = sys.modules.get("prometheus_client")
        if self._collector is None and library is not None:
            collector = OutputsCollector(self._sum)
            library.REGISTRY.register(collector)
            self._collector = collector

    def discard(self, owner: object) -> None:
        """Forget a sink."""
        self._sources.pop(owner, None)
        if not self._sources and self._collector is not None:
            sys.modules["prometheus_client"].REGISTRY.unregister(self._collector)
            self._collector = None

    def _sum(self) -> dict[str, Tally]:
        total: dict[str, Tally] = {}
        for tallies in [*self._sources.values()]:
            for layer, tally in tallies().items():
                total.setdefault(layer, Tally()).add(tally)
        return total


prometheus: Final = SharedCollector()
"""The collector of this process, whose registry is one, too."""
