"""Range of the values of a block, from which limits of contrast are made."""

from __future__ import annotations

from typing import NamedTuple


class ValueRange(NamedTuple):
    """Range of the values of a block: a robust one, and that of all values looked at."""

    low: float
    high: float
    least: float
    most: float

    def union(self, other: ValueRange) -> ValueRange:
        """Return the range of the values of both.

        >>> ValueRange(2, 8, 0, 9).union(ValueRange(3, 9, 3, 9))
        ValueRange(low=2, high=9, least=0, most=9)
        """
        return ValueRange(
            min(self.low, other.low),
            max(self.high, other.high),
            min(self.least, other.least),
            max(self.most, other.most),
        )
