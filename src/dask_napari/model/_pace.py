"""The pace of tasks: how many end in a second, and how long the others will take."""

from __future__ import annotations

import math
from typing import Final

MEMORY: Final = 30.0
"""Seconds after which an end of a task counts a third: steady enough to read, and soon true."""


class Pace:
    """Measure the pace at which a number grows, of late.

    >>> pace = Pace()
    >>> for second in range(60):
    ...     pace.take(2 * second, float(second))
    >>> round(pace.rate, 2), duration_text(pace.time_left(240))
    (2.0, '2 min')
    """

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None
        self._ended = 0.0
        self._elapsed = 0.0

    def __repr__(self) -> str:
        return f"<Pace of {self.rate:.3g}/s>"

    def take(self, done: int, now: float) -> None:
        """Take note of how many there are; time before the first one counts for nothing."""
        before, self._last = self._last, (done, now)
        if before is None or done < before[0]:  # another run
            self._ended = self._elapsed = 0.0
            return
        grown, passed = done - before[0], now - before[1]
        if not grown and not self._ended:
            return
        fade = math.exp(-passed / MEMORY)
        self._ended = self._ended * fade + grown
        self._elapsed = self._elapsed * fade + passed

    @property
    def rate(self) -> float:
        """Number that ends in a second, 0 if none has ended of late."""
        return self._ended / self._elapsed if self._elapsed > 1.0 else 0.0

    def time_left(self, number: int) -> float:
        """Return the seconds that so many more will take, infinite if none ends."""
        rate = self.rate
        return number / rate if rate > 1e-4 else math.inf


def duration_text(seconds: float) -> str:
    """Return a duration in two digits, as people say it; an empty text if it is not known.

    >>> [duration_text(seconds) for seconds in (0.0002, 0.046, 3.21, 42, 125, 1260)]
    ['< 1 ms', '46 ms', '3.2 s', '42 s', '2.1 min', '21 min']
    >>> [duration_text(seconds) for seconds in (3.0, 7300, 400_000, float("inf"))]
    ['3 s', '2 h 2 min', '5 days', '']
    """
    if seconds > 1e9:
        return ""
    if seconds < 0.0005:
        return "< 1 ms"
    if seconds < 1:
        return f"{round(1000 * seconds)} ms"
    for unit, size in (("s", 1), ("min", 60)):
        number = seconds / size
        if number < 9.95:
            return f"{number:.1f} {unit}".replace(".0 ", " ")
        if number < 59.5:
            return f"{round(number)} {unit}"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} days"


def rate_text(rate: float) -> str:
    """Return a rate as people say it; an empty text if there is none.

    >>> [rate_text(rate) for rate in (0.0, 0.02, 0.5, 1.84, 1200.0)]
    ['', '1.2/min', '0.5/s', '1.8/s', '1,200/s']
    """
    if rate < 1e-4:
        return ""
    if rate < 0.1:
        return f"{60 * rate:.1f}/min"
    return f"{rate:,.1f}/s" if rate < 100 else f"{rate:,.0f}/s"
