"""Send a record to a receiver, by the same way as a worker's outputs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dask_napari.model import Item, Policy, Refusal
from dask_napari.record._journal import JournalLine
from dask_napari.record._reader import Record
from dask_napari.stream.send import Publisher

QUEUE_LENGTH: Final = 256
"""Items that wait to be read; they are read when their turn comes, so that memory is the stream's
own, and a viewer that is slower than the disk only makes this wait."""

POLL_INTERVAL: Final = 0.02
"""Seconds between looks at how many there are."""


@dataclass(slots=True)
class RecordedOutput:
    """An entry of the outbox that is read from the record when its turn comes."""

    record: Record
    line: JournalLine
    layer: str
    nbytes: int = 0
    policy: Policy = "keep"

    def place(self) -> Hashable:
        """Return the identity of the place that it will fill."""
        return self.line.meta.place

    def items(self) -> Sequence[Item | Refusal]:
        """Read the item."""
        try:
            return (self.record.item(self.line),)
        except (OSError, ValueError) as error:
            raise Refusal(f"unreadable: {type(error).__name__}") from error

    def forget(self) -> bool:
        """Return true: nothing is held."""
        return True


def replay(
    record: Record,
    addresses: Sequence[str],
    *,
    name: str = "",
    going_on: Callable[[], bool] = lambda: True,
    progress: Callable[[int], Any] = lambda sent: None,
    **options: Any,
) -> int:
    """Send all items of a record to a viewer, in the order in which they were recorded.

    Parameters
    ----------
    record : Record
        What to send.
    addresses : sequence of str
        Of one viewer, the best first.
    name : str
        Of the sender, as the viewer shows it.
    going_on : callable
        Asked now and then; what it has not sent when this is false is left.
    progress : callable
        Called now and then with the number of items that have been sent.
    **options
        More for :class:`~dask_napari.stream.Publisher`: ``security``, for instance.

    Returns
    -------
    int
        Number of items that the viewer has got.
    """
    publisher = Publisher(addresses, name=name or f"replay of {record.path.name}", **options)
    pause = threading.Event()

    def sent() -> int:
        return sum(count.sent for count in publisher.counts())

    def wait(most: int) -> None:
        while len(publisher.outbox) > most and going_on():
            progress(sent())
            pause.wait(POLL_INTERVAL)

    with publisher:
        publisher.declare(record.layers)
        for line in record.lines:
            wait(QUEUE_LENGTH)
            if not going_on():
                break
            publisher.put(RecordedOutput(record, line, line.meta.layer))
        wait(0)
        publisher.close(timeout=60.0 if going_on() else 0.5)
    return sent()
