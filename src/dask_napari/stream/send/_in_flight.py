"""What was sent over one connection and is not acknowledged."""

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
    passage: Transit


class InFlight:
    """Batches and parts on their way, oldest first.

    Their items stay referenced until they are acknowledged, so that a connection that breaks
    loses none of them.

    Parameters
    ----------
    link : LinkRate
        Learns from the acknowledgements.

    Examples
    --------
    >>> import numpy as np
    >>> flights = InFlight(LinkRate())
    >>> flights.add(1, 4, [Item("cells", "labels", np.zeros((2, 2), "uint8"))], None, now=0.0)
    >>> flights.nbytes, list(flights.acknowledge(1, now=0.1)), flights.nbytes
    (4, [], 0)
    """

    def __init__(self, link: LinkRate) -> None:
        self.nbytes = 0
        """Bytes of the items."""
        self._link = link
        self._flights: deque[_SentMessage] = deque()

    def __len__(self) -> int:
        return len(self._flights)

    def add(
        self, number: int, nbytes: int, items: list[Item], slot: Slot | None, now: float
    ) -> None:
        """Note that a message was sent.

        Parameters
        ----------
        number : int
            Its number, one more than the last one's.
        nbytes : int
            Bytes of its payload.
        items : list of Item
            What arrives with it; none with a part.
        slot : Slot or None
            Where the payload lies, if not in the message.
        now : float
            Seconds on the link's clock.
        """
        self.nbytes += sum(item.nbytes for item in items)
        self._flights.append(_SentMessage(number, items, slot, self._link.sent(nbytes, now)))

    def acknowledge(self, number: int, now: float) -> Iterator[Slot]:
        """Forget all up to a number; give the slots that are free again."""
        while self._flights and self._flights[0].number <= number:
            done = self._flights.popleft()
            self.nbytes -= sum(item.nbytes for item in done.items)
            self._link.acknowledged(done.passage, now)
            if done.slot is not None:
                yield done.slot

    def take_back(self) -> list[Item]:
        """Items that may not have arrived; nothing is on its way any more."""
        items = [item for flight in self._flights for item in flight.items]
        self._flights.clear()
        self.nbytes = 0
        return items
