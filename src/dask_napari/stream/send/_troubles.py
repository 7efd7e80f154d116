"""The last errors of a publisher, one a cause, on their way to the people at the viewer."""

from __future__ import annotations

import threading
from typing import Final

from dask_napari.stream.wire import TROUBLES_LIMIT, Trouble

TEXT_LENGTH: Final = 500
"""Characters of an error that are shown; the worker's log has it all."""

KEY_LENGTH: Final = 200
"""Characters of a task's key that are shown."""


class Troubles:
    """Remember the last error of each cause; safe for threads.

    Examples
    --------
    >>> troubles = Troubles()
    >>> troubles.note("cells", "not an array", "segment-1", TypeError("got a str"))
    >>> [(t.reason, t.text) for t in troubles.fresh()], troubles.fresh()
    ([('not an array', 'TypeError: got a str')], [])
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], Trouble] = {}
        self._fresh: set[tuple[str, str]] = set()

    def note(self, layer: str, reason: str, key: object, error: BaseException | str) -> None:
        """Remember an error.

        Parameters
        ----------
        layer : str
            The layer that its output was for, empty if it concerns all.
        reason : str
            Its cause, as in the ledger.
        key : object
            The task's key, empty if there is none.
        error : BaseException or str
            What happened.
        """
        trouble = Trouble(
            _clean(layer, KEY_LENGTH),
            _clean(reason, KEY_LENGTH),
            _clean(_text(key), KEY_LENGTH),
            _clean(_described(error), TEXT_LENGTH),
        )
        cause = trouble.layer, trouble.reason
        with self._lock:
            self._last.pop(cause, None)
            self._last[cause] = trouble  # the newest last
            self._fresh.add(cause)
            while len(self._last) > TROUBLES_LIMIT:
                oldest = next(iter(self._last))
                del self._last[oldest]
                self._fresh.discard(oldest)

    def fresh(self) -> list[Trouble]:
        """Return those that are new since the last call."""
        if not self._fresh:
            return []
        with self._lock:
            found = [self._last[cause] for cause in self._last if cause in self._fresh]
            self._fresh.clear()
            return found

    def all(self) -> list[Trouble]:
        """Return all, for a receiver that knows none."""
        with self._lock:
            self._fresh.clear()
            return list(self._last.values())


def _text(value: object) -> str:
    # Keys and errors are made by users' code, down to what `str` calls.
    try:
        return str(value)
    except BaseException:
        return f"<{type(value).__name__}>"


def _described(error: BaseException | str) -> str:
    text = _text(error)
    if isinstance(error, BaseException):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return text


def _clean(text: str, length: int) -> str:
    # Half of a surrogate pair, as in names of files that are not UTF-8, cannot be encoded.
    return text[:length].encode("utf-8", "replace").decode()
