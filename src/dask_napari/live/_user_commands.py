"""Commands that the user gives in the viewer's window, carried out by a client of the cluster."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, Final

import msgspec

from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.model import Command, described
from dask_napari.sink import dask_internals
from dask_napari.tap import Tap

logger = logging.getLogger(__name__)

WHO: Final = "the cluster"
"""Whom the dock names in front of an error."""


class UserCommands:
    """Carry out commands: retry tasks, add and remove taps, pause and resume the stream."""

    def __init__(self, sinks: ClusterSinks, watch: str) -> None:
        self._sinks = sinks
        self._watch = watch

    def __repr__(self) -> str:
        return f"<UserCommands for {self._sinks!r}>"

    def run(self, command: Any) -> None:
        """Carry out a command; the dock is told of an error."""
        try:
            known = msgspec.convert(command, Command)
            getattr(self, f"_{known.name}")(**known.arguments)
        except Exception as error:  # of the user's arguments, or of a cluster that is gone
            name = command.get("name", "") if isinstance(command, dict) else ""
            self._sinks.reports.add(WHO, f"{name} failed", described(error))

    def _retry(self, keys: list[str]) -> None:
        client, requests = self._sinks.client, self._sinks.requests
        failed = requests.call(
            lambda: dask_internals.ask_scheduler(client, f"{self._watch}-failed", texts=keys)
        )
        if not failed:
            raise ValueError("the scheduler knows no failed task of these any more; submit anew")
        requests.call(lambda: dask_internals.retry(client, failed))

    def _tap(self, select: str, replaces: str = "", **options: Any) -> None:
        if replaces:
            former = self._taps_of(replaces)
            tap = dataclasses.replace(former[0], select=select, **options)
            self._sinks.change(lambda taps: taps.without(former).added([tap]))
        else:
            self._sinks.change(lambda taps: taps.added([Tap(select, **options)]))

    def _untap(self, layer: str) -> None:
        removed = self._taps_of(layer)
        self._sinks.change(lambda taps: taps.without(removed))

    def _taps_of(self, layer: str) -> list[Tap]:
        """Return the taps that fill a layer; raise ValueError if there are none."""
        found = [tap for tap in self._sinks.taps if tap.layer == layer]
        if not found:
            raise ValueError(f"no tap fills the layer {layer!r}")
        return found

    def _pause(self) -> None:
        self._sinks.pause()

    def _resume(self) -> None:
        self._sinks.resume()
