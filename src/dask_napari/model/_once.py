"""Memory of causes: one that comes a million times is logged once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

CAUSES_LIMIT: Final = 1000
"""Causes that are told apart; users' code may make any number of them, and memory is bounded."""


class Once:
    """Tell whether a cause comes for the first time.

    >>> first = Once()
    >>> first("no viewer"), first("no viewer"), first("no keys")
    (True, False, True)
    """

    def __init__(self) -> None:
        self._seen: set[Hashable] = set()

    def __call__(self, cause: Hashable) -> bool:
        """Return whether a cause is new; not beyond :data:`CAUSES_LIMIT` of them."""
        if cause in self._seen or len(self._seen) >= CAUSES_LIMIT:
            return False
        self._seen.add(cause)
        return True
