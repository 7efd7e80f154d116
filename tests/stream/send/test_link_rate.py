"""The estimate of a link, against a simulated one."""

from __future__ import annotations

from collections import deque

import pytest

from dask_napari.stream.send._link_rate import HOLD, LEAST_PIECE, START, LinkRate


class Wire:
    """A link of so many bytes a second, with a trip time, in simulated time."""

    def __init__(self, rate: float, trip: float) -> None:
        self.rate, self.trip = rate, trip
        self.now = self.busy = 0.0
        self.link = LinkRate()
        self.flying: deque = deque()
        self.worst = 0.0

    def run(self, seconds: float, offered: float = float("inf")) -> int:
        """Send what the link allows, at most ``offered`` bytes a second; bytes delivered."""
        end = self.now + seconds
        carried = sent = 0
        began = self.now
        while self.now < end:
            room = self.link.room
            due = min((self.now - began) * offered, 1e18) - sent
            size = int(min(self.link.piece, due))
            if (room >= LEAST_PIECE or not self.link.flying) and size >= 1000:
                self.busy = max(self.busy, self.now) + size / self.rate
                self.flying.append((self.busy + self.trip, self.link.sent(size, self.now)))
                sent += size
                continue
            if size < 1000:
                self.link.starve()
            if not self.flying:
                self.now += 0.001
                continue
            arrived, passage = self.flying.popleft()
            self.now = max(self.now, arrived)
            self.worst = max(self.worst, self.now - passage.sent)
            self.link.acknowledged(passage, self.now)
            carried += passage.nbytes
        return carried


@pytest.mark.parametrize("trip", [0.0001, 0.01, 0.1, 0.6])
@pytest.mark.parametrize("rate", [125e3, 1.25e6, 125e6])
def test_a_link_is_kept_busy_and_never_holds_much(rate, trip):
    wire = Wire(rate, trip)
    wire.run(10 + 20 * trip)
    wire.worst = 0.0
    assert wire.run(10) >= 0.9 * 10 * rate
    assert 0.8 * rate < wire.link.limit < 1.3 * rate
    # A sign of life waits behind this much, beside the trip itself.
    assert wire.worst < 2 * max(HOLD, 2 * trip) + trip


def test_a_link_that_becomes_slow_is_noticed():
    wire = Wire(100e6, 0.01)
    wire.run(5)
    wire.rate = 1.25e6
    wire.run(60)
    wire.worst = 0.0
    wire.run(10)
    assert wire.worst < 1.5
    assert wire.link.rate < 2.5e6


def test_a_sender_with_little_to_send_says_nothing_of_the_link():
    wire = Wire(100e6, 0.001)
    wire.run(5)
    before = wire.link.rate
    wire.run(20, offered=1e5)
    assert wire.link.rate >= 0.9 * before


def test_nothing_is_known_at_first():
    link = LinkRate()
    assert link.limit == 0
    assert link.window == link.room == START
