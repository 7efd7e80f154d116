"""Runs: which pass of a computation the items of a publisher belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


class Runs:
    """Number the runs by the groups of publishers that fill them.

    The first group that is heard of fills run 1, each further group a run of its own. A run that
    is begun by hand is filled by all groups there are. Groups and their runs can be written down,
    for who goes on with the runs later.

    Parameters
    ----------
    most : int
        Groups that are remembered: those that were asked for last.

    Examples
    --------
    >>> runs = Runs(100)
    >>> runs.number("sink of monday"), runs.number("sink of tuesday"), runs.begin()
    (1, 2, 3)
    >>> runs.number("sink of monday"), runs.number("sink of wednesday")
    (3, 4)
    >>> later = Runs(100)
    >>> later.resume(runs.numbers)
    >>> later.number("sink of thursday"), later.number("sink of wednesday")
    (5, 4)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._newest = 0
        self._numbers: dict[str, int] = {}
        self._earlier: dict[str, int] = {}
        """Runs by the digests of groups that have not been heard of yet."""

    def __repr__(self) -> str:
        return f"<Runs: {self._newest}, of {len(self._numbers)} groups>"

    def number(self, group: str) -> int:
        """Return the number of the run that a group fills, from 1."""
        number = self._numbers.pop(group, None)
        if number is None:
            number = self._earlier.pop(_digest(group), 0)
            if not number:
                number = self._newest = self._newest + 1
            if len(self._numbers) >= self._most:
                del self._numbers[next(iter(self._numbers))]
        self._numbers[group] = number  # the last to be forgotten
        return number

    def begin(self) -> int:
        """Begin a run that all groups fill; return its number."""
        if not self._numbers:
            return self._newest + 1  # the first group begins it
        self._newest += 1
        self._numbers = dict.fromkeys(self._numbers, self._newest)
        return self._newest

    @property
    def numbers(self) -> dict[str, int]:
        """Return the runs by digests of their groups, whose names may open doors elsewhere."""
        numbers = {_digest(group): number for group, number in self._numbers.items()}
        return {**self._earlier, **numbers}

    def resume(self, numbers: Mapping[str, int]) -> None:
        """Have groups fill the runs that they filled before, and others newer ones."""
        self._earlier = dict(numbers)
        self._newest = max(numbers.values(), default=0)


def _digest(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()[:16]
