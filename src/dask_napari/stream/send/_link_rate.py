"""The rate of the way to a receiver, estimated from acknowledgements.

ZeroMQ takes whatever it is given and delivers each message whole, so all that is handed to it
stands in front of the next PING or STATUS, and a message that takes longer than the heartbeat
looks like silence. This bounds both: what is on the way to what the link carries in a moment, and
a piece to a fraction of that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

HOLD: Final = 0.5
"""Seconds of the link's rate that may be on the way: enough to keep it busy, a quarter of a
heartbeat, so that signs of life never wait long behind data."""

START: Final = 64 << 10
"""Bytes on the way before the rate is known. Two hundred workers behind 100 Mbit/s deliver that
in a second; on a fast link the first acknowledgement comes within a millisecond."""

LEAST_PIECE: Final = 16 << 10
"""Bytes; below it the cost of a message is felt. Takes 13 ms at 10 Mbit/s."""

MEMORY: Final = 1.0
"""Seconds in which the estimate follows a link that became slower."""

GROWTH: Final = 1.25
"""A sample so many times above the level before shows that the link is not full yet."""

STEADY: Final = 8
"""Samples without growth after which it is. One window is acknowledged in four or more pieces."""


@dataclass(frozen=True, slots=True)
class Transit:
    """Message on its way, and the state of the link when it was sent."""

    nbytes: int
    sent: float
    delivered: int
    since: float
    """When the last acknowledgement before it came."""
    starved: bool
    """Whether there was less to send than the link could have taken."""


class LinkRate:
    """Estimate the rate of a link by the bytes acknowledged while a message was on its way.

    The rate rises at once and falls slowly, and a sender with little to send does not lower it
    (as in TCP BBR). All times are seconds on one clock.
    """

    def __init__(self) -> None:
        self.rate = 0.0
        """Bytes a second; 0 while unknown."""
        self.flying = 0
        """Bytes sent and not acknowledged."""
        self._delivered = 0
        self._last = 0.0
        self._trip = math.inf
        self._sampled = 0.0
        self._starved_until = -1
        self._level = 0.0
        self._steady = 0

    def __repr__(self) -> str:
        steady = "" if self.limit else " or more"
        return f"<LinkRate: {self.rate / 1e6:.1f} MB/s{steady}, {self.flying} bytes on the way>"

    @property
    def limit(self) -> float:
        """The rate, if the link and not the sender limits it; 0 while that is not known.

        As in BBR, a link is full when to have more on the way has not brought more for a while.
        """
        return self.rate if self._steady >= STEADY else 0.0

    @property
    def window(self) -> int:
        """Bytes that may be on the way."""
        # A long way needs more on it than a slow one; twice, so that the rate can be seen to rise.
        trip = 0.0 if math.isinf(self._trip) else self._trip
        return max(START, int(self.rate * max(HOLD, 2 * trip)))

    @property
    def piece(self) -> int:
        """Bytes of a message, at most, when not all fits into the window."""
        return max(LEAST_PIECE, self.window // 4)

    @property
    def room(self) -> int:
        """Bytes that may be sent now."""
        return max(0, self.window - self.flying)

    def starve(self) -> None:
        """Note that there is nothing more to send: what is on the way tells little of the rate."""
        self._starved_until = self._delivered + self.flying

    def sent(self, nbytes: int, now: float) -> Transit:
        """Note that a message was sent."""
        if not self.flying:
            self._last = now
        starved = self._delivered <= self._starved_until
        transit = Transit(nbytes, now, self._delivered, self._last, starved)
        self.flying += nbytes
        return transit

    def acknowledged(self, transit: Transit, now: float) -> None:
        """Note that a message arrived."""
        self.flying -= transit.nbytes
        self._delivered += transit.nbytes
        self._last = now
        if not transit.nbytes:
            return  # it tells nothing of what the link carries
        self._trip = min(self._trip, max(now - transit.sent, 1e-6))
        # Over a trip at least: acknowledgements that come in one go would make a rate of their own.
        took = max(now - transit.since, self._trip)
        sample = (self._delivered - transit.delivered) / took
        if sample >= self.rate:
            self.rate = sample
        elif not transit.starved:
            self.rate += (sample - self.rate) * (1 - math.exp((self._sampled - now) / MEMORY))
        self._sampled = now
        if sample > GROWTH * self._level:
            self._level, self._steady = sample, 0
        elif not transit.starved:
            self._steady += 1
            self._level = min(self._level, self.rate)
