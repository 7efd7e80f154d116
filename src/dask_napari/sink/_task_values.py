"""Values that tasks show by themselves: ``dask_napari.show``, and chunks of watched arrays."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from dask_napari.coerce import place_of
from dask_napari.placement import Placement
from dask_napari.sink._context import SinkContext
from dask_napari.sink._outputs import Shown, kept, nbytes_of
from dask_napari.sink._tasks import running
from dask_napari.sink._watched_chunks import comes_by_itself
from dask_napari.stream.send import UnsendableItem
from dask_napari.tap import Tap


class TaskValues:
    """Stream what tasks have in hands. Any thread; never raises, never waits.

    Parameters
    ----------
    outlet : SinkContext
        Where values go.
    """

    def __init__(self, outlet: SinkContext) -> None:
        self._outlet = outlet
        self._process = os.getpid()

    def show(
        self,
        value: object,
        tap: Tap,
        where: Placement | Callable[[], Placement] | None,
        keep: Callable[[], object] | None,
    ) -> bool:
        """Put a value into the queue; see :meth:`NapariSink.show`.

        Parameters
        ----------
        value, tap, where, keep
            See there.
        """
        outlet, publisher = self._outlet, self._outlet.publisher
        if os.getpid() != self._process:
            # Forked by a task: the publisher's thread is not here, and its locks may be held.
            return False
        key: object = ""
        try:
            assert tap.layer is not None
            key, made = running(outlet.worker)
            if reason := publisher.outbox.without_layer(tap.layer):
                outlet.refuse(tap, key, UnsendableItem(reason, key), reason)
                return False
            self._declare(tap)
            outlet.pause()
            refused = publisher.refuses(nbytes_of(value), tap.policy)
            if refused:  # before the copy, which would have been for nothing
                publisher.outbox.refuse(tap.layer, refused)
                return False
            held = keep() if keep is not None else kept(value)
            if where is None:
                where = Placement(place_of(held))
            publisher.put(Shown(tap, held, where, made, outlet.report))
        except BaseException as error:
            outlet.refuse(tap, key, error)
            return False
        return True

    def show_chunk(
        self, source: str, numbers: tuple[int, ...], block: object, keep: Callable[[], object]
    ) -> None:
        """Put a chunk of a watched array into the queue; see :meth:`NapariSink.show_chunk`.

        Parameters
        ----------
        source, numbers, block, keep
            See there.
        """
        outlet, taps = self._outlet, self._outlet.taps
        watching = taps.watching(source)
        if not watching or os.getpid() != self._process:
            return
        caller, _ = running(outlet.worker)
        task = outlet.worker.state.tasks.get(caller)
        for tap in watching:
            assert tap.chunks is not None
            key = tap.chunks.name, *numbers
            # A task of the chunk's own name ends in `transition`, which needs no copy; others,
            # into which Dask has fused this one, do not come by there with the chunk.
            if caller == key or key not in tap.chunks or comes_by_itself(taps, tap, key, task):
                continue
            self.show(block, tap, functools.partial(tap.placement, key, block), keep)

    def _declare(self, tap: Tap) -> None:
        # A tap in force has said what its layer is; a value that is shown must not overrule it.
        if tap.layer not in self._outlet.publisher.layers:
            self._outlet.publisher.declare([tap.spec()])
