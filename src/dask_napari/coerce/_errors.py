"""Refusals: what an output lacks to be shown, in words for its author."""

from __future__ import annotations

from typing import Any


class CoercionError(Exception):
    """An output that cannot be shown.

    Attributes
    ----------
    reason : str
        A short cause without values in it, fit to be counted by.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, str(self))


class CoercionTypeError(CoercionError, TypeError):
    """An output of a type or dtype that its kind cannot show."""


class CoercionValueError(CoercionError, ValueError):
    """An output of a fitting type, but of a shape or with values that cannot be shown."""
