"""Messages that were sent over one connection and are not acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from dask_napari.model import Item
from dask_napari.stream.send._link_rate import LinkRate, Transit
from dask_napari.stream.shm import Slot


@dataclass(slots=True)
class _SentMessage:
    number: int
    items: list[Item]
    slot: Slot | None
    transit: Transit


class InFlight:
    """Queue of batches and parts on their way, oldest first.

    Their items stay referenced until they are acknowledged, so that a connection that breaks
    loses none of them; the link's rate is learnt from the acknowledgements.
    """

    def __init__(self, link: LinkRate) -> None:
        self.nbytes = 0
        """Bytes of the items."""
        self.items = 0
        """Number of the items."""
        self._link = link
        self._messages: deque[_SentMessage] = deque()

    def __repr__(self) -> str:
        return f"<InFlight: {len(self)} messages with items of {self.nbytes} bytes>"

    def __len__(self) -> int:
        return len(self._messages)

    def add(
        self, number: int, nbytes: int, items: list[Item], slot: Slot | None, now: float
    ) -> None:
        """Note that a message was sent: its payload, its slot, and the items that it completes."""
        self.nbytes += sum(item.nbytes for item in items)
        self.items += len(items)
        self._messages.append(_SentMessage(number, items, slot, self._link.sent(nbytes, now)))

    def acknowledge(self, number: int, now: float) -> Iterator[Slot]:
        """Forget all messages up to a number; give the slots that are free again."""
        while self._messages and self._messages[0].number <= number:
            done = self._messages.popleft()
            self.nbytes -= sum(item.nbytes for item in done.items)
            self.items -= len(done.items)
            self._link.acknowledged(done.transit, now)
            if done.slot is not None:
                yield done.slot

    def take_back(self) -> list[Item]:
        """Hand over the items that may not have arrived."""
        items = [item for message in self._messages for item in message.items]
        self._messages.clear()
        self.nbytes = self.items = 0
        return items
