"""A cluster attached to a viewer that runs in this process."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from distributed import Client

from dask_napari.live._cluster_feed import ClusterFeed
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.live._viewer_endpoint import ViewerEndpoint
from dask_napari.sink import SINK_NAME, NapariSink
from dask_napari.stream import Control

if TYPE_CHECKING:
    from dask_napari.stream.auth import Security


logger = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for the scheduler to answer a person who waits for it."""

CLOSE_TIMEOUT: Final = 6.0
"""Seconds to leave the cluster; the sinks go with the client at the latest."""


class ClusterAttachment:
    """A client of a cluster whose tasks a viewer of this process is to show.

    Dask's configuration tells the keys for the scheduler. Raises OSError if the scheduler does
    not answer.
    """

    def __init__(self, scheduler: str, *, timeout: float = CONNECT_TIMEOUT) -> None:
        if "://" not in scheduler:
            scheduler = f"tcp://{scheduler}"
        self.scheduler: str = scheduler
        self.client: Client = Client(scheduler, timeout=timeout, set_as_default=False)
        self._undo = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._closed = False

    def __repr__(self) -> str:
        return f"<ClusterAttachment of {self.scheduler}: {'closed' if self._closed else 'open'}>"

    def endpoint(self, listen: Iterable[str] = (), *, insecure: bool = False) -> ViewerEndpoint:
        """Return addresses and keys for a viewer that the cluster's workers can reach.

        Raises ValueError if an address is not usable; ConnectionError if no worker can dial it.
        """
        return ViewerEndpoint.for_client(self.client, [*listen] or None, insecure)

    def stream_to(
        self,
        viewer: Sequence[str],
        told: Sequence[str],
        security: Security | None,
        *,
        insecure: bool = False,
    ) -> None:
        """Register sinks that stream to a viewer, and tell it of the cluster's tasks.

        The workers are told some of the viewer's addresses. Nothing is left behind if it fails.
        """
        with self._lock, contextlib.ExitStack() as undo:
            if self._closed:
                return
            control = Control(viewer, security=security, insecure=insecure)
            undo.callback(control.close)
            sink = NapariSink(
                told,
                security=security.client() if security is not None else None,
                insecure=insecure,
                name=f"{SINK_NAME}-{uuid.uuid4().hex[:8]}",
            )
            sinks = ClusterSinks(self.client, sink)
            undo.callback(sinks.close, CLOSE_TIMEOUT / 3)
            sinks.register()
            feed = ClusterFeed(sinks, control, told)
            undo.callback(feed.close, CLOSE_TIMEOUT / 3)
            feed.start()
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Leave the cluster; may be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        deadline = time.monotonic() + CLOSE_TIMEOUT
        self._undo.close()
        try:
            self.client.close(timeout=max(1.0, deadline - time.monotonic()))
        except Exception as error:
            logger.debug("the scheduler does not answer: %r", error)
