"""When a publisher's thread acts next: naps while it streams, pauses while it has no receiver."""

from __future__ import annotations

import random
import time
from typing import Final

NAP: Final = 0.02
"""Seconds between looks at the outbox while items keep coming. A wake-up for each item costs
the event loop some 120 us (the two threads fight for the GIL); a nap costs it nothing, and an
item that comes after a pause is sent at once. Less than the viewer's own 33 ms."""

RECEIVER_MESSAGES: Final = 4000
"""Messages a second from all publishers together, for which a receiver's thread takes less than
half of a core, so that the viewer's own has the rest. Where many publishers share one they nap
longer, and each message carries more: 200 of them nap 50 ms."""

LONGEST_NAP: Final = 0.25
"""Seconds; people take it for at once. Reached by a thousand publishers."""

BLOCKED_NAP: Final = 0.1
"""Seconds between looks while the receiver gives no credit; its CREDIT ends the wait early."""

HANDSHAKE_TIMEOUT: Final = 3.0
"""Seconds; a receiver answers a HELLO in well under one even when it copies at full speed."""

LONGEST_HANDSHAKE: Final = 8.0
"""Seconds; the time for a handshake doubles with each round of attempts up to this, for a link so
full that three are not enough. Longer would keep the next address waiting."""

BACKOFF: Final = (0.05, 5.0)
"""First and longest pause in seconds between attempts; doubled each time, for ever."""

REFUSED_PAUSE: Final = 30.0
"""Seconds between attempts at a receiver that refused for a reason that only people mend."""

SHORTAGE_PAUSE: Final = 1.0
"""Least pause in seconds between attempts of a process that is at one of its limits."""

ALONE_GRACE: Final = 5.0
"""Seconds without a receiver after which values are no longer held, only keys."""


def nap(publishers: int) -> float:
    """Return the seconds between looks at the outbox where so many publishers share a receiver.

    >>> nap(1), nap(200)
    (0.02, 0.05)
    """
    return min(LONGEST_NAP, max(NAP, publishers / RECEIVER_MESSAGES))


class Backoff:
    """Pauses between attempts to connect and time for each handshake, longer with each round.

    >>> backoff = Backoff()
    >>> backoff.double()
    >>> backoff.patience, 0.05 <= backoff.pause() <= 0.1, backoff.alone
    (6.0, True, False)
    """

    def __init__(self) -> None:
        self.reset()

    def __repr__(self) -> str:
        return f"<Backoff: {self._pause:.2f} s between attempts, {self.patience:.0f} s for each>"

    def reset(self) -> None:
        """Begin again: a receiver was there."""
        self.patience = HANDSHAKE_TIMEOUT
        self._pause = BACKOFF[0]
        self._since = time.monotonic()

    def double(self) -> None:
        """Lengthen both after a round in which no address answered."""
        self.patience = min(2 * self.patience, LONGEST_HANDSHAKE)
        self._pause = min(2 * self._pause, BACKOFF[1])

    def pause(self) -> float:
        """Return the seconds until the next round; by chance, so that many do not come at once."""
        return self._pause * random.uniform(0.5, 1.0)

    @property
    def alone(self) -> bool:
        """True if the last receiver has been gone for longer than values are held."""
        return time.monotonic() - self._since > ALONE_GRACE
