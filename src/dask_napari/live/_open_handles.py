"""Open handles of this process, so that ``watch`` gives again what is there."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dask_napari.live._live import Live

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)


class OpenHandles:
    """Remember the last handle of each client, with the options that it was opened with."""

    def __init__(self) -> None:
        self._last: weakref.WeakKeyDictionary[Client, weakref.ref[Live]]
        self._last = weakref.WeakKeyDictionary()
        self._options: weakref.WeakKeyDictionary[Live, Mapping[str, Any]]
        self._options = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()  # two threads that watch at once share a viewer, too

    def __repr__(self) -> str:
        return f"<OpenHandles of {len(self._last)} clients>"

    def get(
        self, client: Client, options: Mapping[str, Any], new: bool, make: Callable[[], Live]
    ) -> Live:
        """Return the handle of a client if its window is open, else a new one.

        Options are those that the user named. Raises ValueError if the open viewer has others.
        """
        with self._lock:
            last = self._of(client)
            if not new and last is not None:
                if last.open:
                    self._check(last, options)
                    return last
                last.close()  # the user closed its window; its sinks have nobody to stream to
            if not new:
                self._warn_of_others(client)
            live = make()
            self._last[client] = weakref.ref(live)
            self._options[live] = options
            return live

    def _of(self, client: Client) -> Live | None:
        return known() if (known := self._last.get(client)) is not None else None

    def _check(self, live: Live, options: Mapping[str, Any]) -> None:
        opened = self._options[live]
        for name, value in options.items():
            if name not in opened or opened[name] != value:
                was = f"{name}={opened[name]!r}" if name in opened else f"the default {name}"
                raise ValueError(
                    f"{name}={value!r}, but the viewer of this client was opened with {was}; close "
                    "it first (live.close()), or open a second one with watch(client, new=True)"
                )

    def _warn_of_others(self, client: Client) -> None:
        for other in list(self._last):
            live = self._of(other)
            if live is None or not live.open or other is client:
                continue
            if other.scheduler_info()["address"] == client.scheduler_info()["address"]:
                logger.warning(
                    "another client of this process has a viewer on this cluster (%r), and this "
                    "one opens beside it; use that client again, or close the first viewer",
                    live,
                )
