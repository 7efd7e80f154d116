"""Costs of calls on an event loop, which all tasks of a worker wait for."""

from __future__ import annotations

from typing import Final

SLOW_CALL: Final = 0.00025
"""Seconds; Dask's own work for a task takes some 0.6 ms of the same event loop."""

SLOW_CALLS: Final = 5
"""Slow calls until it is said: one may have waited for the GIL, or imported a module."""

SLOW_SHARE: Final = 0.1
"""Share of slow calls among all from which they are the function's, and not the host's."""

LONG_CALL: Final = 1.0
"""Seconds of one call that are said at once."""


class CallCosts:
    """Number and time of the calls of one function.

    >>> costs = CallCosts()
    >>> [costs.add(0.002) for _ in range(6)], f"{costs.mean * 1000:.1f} ms"
    ([False, False, False, False, True, False], '2.0 ms')
    """

    __slots__ = ("_least", "_slow", "_told", "calls", "seconds")

    def __init__(self, slow: float = SLOW_CALL) -> None:
        self._least = slow
        self.calls: int = 0
        self.seconds: float = 0.0
        self._slow = 0
        self._told = False

    def __repr__(self) -> str:
        return f"<CallCosts: {self.calls} calls, {self.mean * 1e6:.0f} us each>"

    @property
    def mean(self) -> float:
        """Seconds of a call on average."""
        return self.seconds / max(1, self.calls)

    def add(self, seconds: float) -> bool:
        """Count a call; return true, once, when people should know how slow the calls are."""
        self.calls += 1
        self.seconds += seconds
        if seconds < self._least or self._told:
            return False
        self._slow += 1
        often = self._slow >= SLOW_CALLS and self._slow >= SLOW_SHARE * self.calls
        self._told = often or seconds >= LONG_CALL
        return self._told
