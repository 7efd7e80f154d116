"""Receipts of saved items, by which the queue tracker of OpenHCS learns what is done."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Final, Protocol

from dask_napari.model import Item, Policy, contained

_END: Final = (None, "")


class Tracker(Protocol):
    """Queue tracker of zmqruntime."""

    def register_sent(self, image_id: str) -> None:
        """Count an image as on its way."""

    def mark_processed(self, image_id: str) -> None:
        """Count an image as done."""


class Receipt:
    """Receipt of one image, which all entries that were made of it hold."""

    __slots__ = ("__weakref__",)


@dataclass(slots=True)
class SavedEntry:
    """Entry of an item, which holds the receipt until the publisher is done with the item.

    The publisher keeps the entry as the source of the item until the viewer has acknowledged it,
    and lets go of it, too, when the item is replaced or dropped.
    """

    item: Item | None
    receipt: Receipt
    policy: Policy = "latest"
    layer: str = field(init=False)
    key: str = field(init=False)
    nbytes: int = field(init=False)
    owner: int = field(init=False, default=0)
    foreign: bool = field(init=False, default=False)
    _place: Hashable = field(init=False)

    def __post_init__(self) -> None:
        assert self.item is not None
        self.layer, self.nbytes = self.item.layer, self.item.nbytes
        self.key, self._place = self.item.provenance.key, self.item.place

    def place(self) -> Hashable:
        """Return the identity of the place that the item fills."""
        return self._place

    def items(self) -> Sequence[Item]:
        """Hand the item over: it refers to its entry, and a circle would outlive both."""
        item, self.item = self.item, None
        return () if item is None else (item,)

    def forget(self) -> bool:
        """Return false: nobody else has the item."""
        return False


class Receipts:
    """Issue receipts, and mark images in their tracker once nobody holds their receipt.

    A thread marks them, since trackers are code of others, which must not run on the publisher's
    thread. It ends after :meth:`end`, or when this object is forgotten, with the last receipt.
    """

    def __init__(self) -> None:
        self._released: SimpleQueue[tuple[Tracker | None, str]] = SimpleQueue()
        self._issued: list[int] = [0]
        self._thread = threading.Thread(
            target=_mark, args=(self._released, self._issued), name="dask-napari-receipts"
        )
        self._thread.daemon = True
        self._ending = weakref.finalize(self, self._released.put, _END)
        self._ending.atexit = False
        self._thread.start()

    def __repr__(self) -> str:
        state = "open" if self._ending.alive else "ending"
        return f"<Receipts {state}: {self._issued[0]} issued>"

    def issue(self, tracker: Tracker, image_id: str) -> Receipt:
        """Register an image in its tracker, and return its receipt."""
        tracker.register_sent(image_id)
        self._issued[0] += 1
        receipt = Receipt()
        # `put` may be called from anywhere: it never waits for a lock.
        weakref.finalize(receipt, self._released.put, (tracker, image_id)).atexit = False
        return receipt

    def end(self, timeout: float = 0.0) -> None:
        """End the thread with the last receipt, and wait for so many seconds."""
        self._ending()
        self._thread.join(timeout)


def _mark(released: SimpleQueue[tuple[Tracker | None, str]], issued: list[int]) -> None:
    marked, ending = 0, False
    while not (ending and marked >= issued[0]):
        tracker, image_id = released.get()
        if tracker is None:
            ending = True
            continue
        marked += 1
        with contained(lambda error: None, foreign=True):
            tracker.mark_processed(image_id)


def tracker_of(port: int, viewer: str) -> Any:
    """Return the tracker that OpenHCS reads the progress of a viewer from; None without one."""
    with contextlib.suppress(ImportError):
        from zmqruntime.queue_tracker import GlobalQueueTrackerRegistry

        return GlobalQueueTrackerRegistry().get_or_create_tracker(port, viewer)
    return None
