"""Reports: what people should know of a stream, each cause once, however often it comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Hashable
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from dask_napari.model._bounds import Name
from dask_napari.model._refusal import Refusal, shown

CAUSES_LIMIT: Final = 1000
"""Causes that are told apart; users' code may make any number of them, and memory is bounded."""

REPORTS_LIMIT: Final = 32
"""Causes of which the last report is kept for the viewer; nobody reads more."""

TEXT_LIMIT: Final = 500
"""Characters of a report that are shown; the log has all of it."""

KEY_LIMIT: Final = 200
"""Characters of a task's key that are shown."""


class Report(msgspec.Struct, frozen=True, array_like=True):
    """The last occurrence of one cause."""

    layer: Name  # empty if all layers are concerned
    reason: Name  # as in the ledger, where something was dropped
    key: Name  # of the task; empty where no task is at fault
    text: Annotated[str, Meta(max_length=4096)]  # for people
    note: bool = False  # tells only how something is shown; nothing is amiss

    def __str__(self) -> str:
        reason = "" if self.note or self.reason == self.text else self.reason
        of_task = f"task {self.key}" if self.key else ""
        about = ", ".join(filter(None, (reason, of_task)))
        return ": ".join(filter(None, (self.layer, about, self.text)))


class Reports:
    """Remember the last report of each cause, and log each cause once; safe for threads.

    Lines of the log begin with ``name``; without a logger there are none. The newest ``limit``
    causes are kept for the viewer.

    >>> reports = Reports()
    >>> reports.error("not an array", TypeError("got a str"), layer="cells", key="segment-1")
    True
    >>> reports.error("not an array", TypeError("got a str"), layer="cells", key="segment-2")
    False
    >>> [(report.reason, report.key, report.text) for report in reports.fresh()], reports.fresh()
    ([('not an array', 'segment-2', 'TypeError: got a str')], [])
    """

    def __init__(
        self, logger: logging.Logger | None = None, name: str = "", *, limit: int = REPORTS_LIMIT
    ) -> None:
        self._logger = logger
        self._name = name
        self._limit = limit
        self._lock = threading.Lock()
        self._causes: set[Hashable] = set()
        self._last: dict[tuple[str, str], Report] = {}
        self._fresh: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"<Reports {self._name}: {len(self._causes)} causes, {len(self._fresh)} not told>"

    def error(
        self,
        reason: str,
        error: BaseException | str,
        *,
        layer: str = "",
        key: object = "",
        traceback: bool = False,
        level: int = logging.WARNING,
    ) -> bool:
        """Report that something is amiss; return whether the cause is new.

        The cause that is logged once is the layer, the reason and the type of the error. The log
        shows the ``traceback`` of bugs alone.
        """
        text = described(error)
        self.take(Report(_short(layer), _short(reason), _short(shown(key)), text[:TEXT_LIMIT]))
        new = self.is_new(
            (layer, reason, type(error).__name__ if isinstance(error, BaseException) else text)
        )
        if new and self._logger is not None:
            of_task = f" (task {shown(key)!r})" if key else ""
            where = f"layer {layer!r}: " if layer else ""
            self._log(
                level,
                f"{where}{reason}{of_task}: {text}; further cases with this cause are only counted",
                error if traceback and isinstance(error, BaseException) else None,
            )
        return new

    def note(
        self, layer: str, text: str, latest: str = "", *, level: int = logging.WARNING
    ) -> bool:
        """Report how something is shown; return whether the note is new.

        The text is the cause, so it has no figures; ``latest`` tells it with those of this case.
        """
        new = self.is_new((layer, text))
        told = latest or text
        if new or latest:
            self.take(Report(_short(layer), _short(text), "", _clean(told, TEXT_LIMIT), note=True))
        if new:
            self._log(level, f"layer {layer!r}: {told}" if layer else told, None)
        return new

    def is_new(self, cause: Hashable) -> bool:
        """Return whether a cause comes for the first time; false beyond :data:`CAUSES_LIMIT`."""
        with self._lock:
            if cause in self._causes or len(self._causes) >= CAUSES_LIMIT:
                return False
            self._causes.add(cause)
            return True

    @property
    def has_news(self) -> bool:
        """Return whether there are reports that :meth:`fresh` has not returned."""
        return bool(self._fresh)

    def fresh(self) -> list[Report]:
        """Return the reports that are new since the last call, the newest last."""
        if not self._fresh:
            return []
        with self._lock:
            found = [report for cause, report in self._last.items() if cause in self._fresh]
            self._fresh.clear()
            return found

    def all(self) -> list[Report]:
        """Return all reports that are kept, for a viewer that knows none; none is fresh then."""
        with self._lock:
            self._fresh.clear()
            return list(self._last.values())

    def take(self, report: Report) -> None:
        """Keep a report, without a word in the log: one from elsewhere was logged there."""
        cause = report.layer, report.reason
        with self._lock:
            self._last.pop(cause, None)
            self._last[cause] = report  # the newest last
            self._fresh.add(cause)
            while len(self._last) > self._limit:
                oldest = next(iter(self._last))
                del self._last[oldest]
                self._fresh.discard(oldest)

    def _log(self, level: int, text: str, error: BaseException | None) -> None:
        if self._logger is not None:
            start = f"{self._name}: " if self._name else ""
            self._logger.log(level, "%s%s", start, text, exc_info=error)


def described(error: BaseException | str) -> str:
    """Return an error as text with its type, fit to be sent; a refusal says all by its text.

    >>> described(ValueError("no such well")), described(KeyError()), described("no disk")
    ('ValueError: no such well', 'KeyError', 'no disk')
    """
    text = shown(error)
    if isinstance(error, BaseException) and not isinstance(error, Refusal):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return _clean(text, len(text))


def _short(text: str) -> str:
    return _clean(text, KEY_LIMIT)


def _clean(text: str, length: int) -> str:
    # Half of a surrogate pair, as in names of files that are not UTF-8, cannot be encoded.
    return text[:length].encode("utf-8", "replace").decode()
