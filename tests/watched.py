"""Sinks and a feed on a cluster as `watch` sets them up, for a viewer of the test's own."""

from __future__ import annotations

import uuid

from distributed import Client

from dask_napari.live._cluster_feed import ClusterFeed
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.model import TapProgress, TaskCounts, TaskGroup, TaskStatus
from dask_napari.sink import NapariSink
from dask_napari.stream import Control, Receiver
from dask_napari.tap import Tap


class Watched:
    """Sinks, a feed, and the receiver that hears both."""

    def __init__(self, client: Client, receiver: Receiver) -> None:
        self.receiver = receiver
        self.statuses: list[TaskStatus] = []
        name = f"dask-napari-{uuid.uuid4().hex[:8]}"
        self.sinks = ClusterSinks(client, NapariSink(receiver.addresses, name=name))
        self.sinks.register()
        self.control = Control(receiver.addresses)
        self.feed = ClusterFeed(self.sinks, self.control, receiver.addresses)
        self.feed.start()

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *exc: object) -> None:
        self.feed.close(2.0)
        self.sinks.close()
        self.control.close()

    def tap(self, tap: Tap) -> None:
        self.sinks.change(lambda taps: taps.added([tap]))

    def group(self, name: str) -> TaskGroup | None:
        state = self.receiver.cluster.state()
        found = (group for group in state.groups if group.name == name) if state else ()
        return next(iter(found), None)

    def progress(self, layer: str) -> TapProgress | None:
        state = self.receiver.cluster.state()
        return next((tap for tap in state.taps if tap.layer == layer), None) if state else None

    def counts(self, layer: str) -> TaskCounts | None:
        progress = self.progress(layer)
        return progress and progress.counts
