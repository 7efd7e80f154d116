"""Runs: which pass of a computation the items of a publisher belong to."""

from __future__ import annotations


class Runs:
    """Number the runs by the groups of publishers that fill them.

    The first group that is heard of fills run 1, each further group a run of its own. A run that
    is begun by hand is filled by all groups there are.

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
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._newest = 0
        self._numbers: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Runs: {self._newest}, of {len(self._numbers)} groups>"

    def number(self, group: str) -> int:
        """Return the number of the run that a group fills, from 1."""
        number = self._numbers.pop(group, None)
        if number is None:
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
