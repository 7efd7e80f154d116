"""Notices of tasks on their way to the receiver: the newest of each task, and not too many."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from typing import Final, Protocol

import msgspec

from dask_napari.model import Reports, TaskStatus, contain
from dask_napari.stream.wire import messages as wire

MOST_WAITING: Final = 10_000
"""Notices that wait, some 3 MB; a worker whose tasks all fail at once has so many."""

MOST_TEXTS: Final = 200
"""Notices that wait with the traceback of an error, at most 3 MB."""

MOST_TOLD: Final = 200
"""Notices of one message; each takes some 50 us, and four messages a second are sent."""

BYTES_TOLD: Final = wire.HEADER_LIMIT // 4
"""Bytes of statuses in a message."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(TaskStatus)


class TaskNotice(Protocol):
    """Task whose state is to be told; its statuses are made on the publisher's thread."""

    @property
    def identity(self) -> Hashable:
        """Which task it is about, and on which layer: a newer notice replaces an older one."""

    def statuses(self) -> Sequence[TaskStatus]:
        """Return a status for each item that the task is to make. No code of others runs."""

    def shorten(self) -> None:
        """Let go of the traceback."""


class TaskNotices:
    """Keep notices of tasks until they are told; safe for threads.

    Those that find no room are not told: nothing hangs on them but what a viewer shows of tasks.
    """

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, TaskNotice] = {}
        self._texts = 0

    def __repr__(self) -> str:
        return f"<TaskNotices: {len(self)} wait>"

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, notice: TaskNotice) -> bool:
        """Keep a notice; return whether it is the first that waits. Never blocks."""
        with self._lock:
            replaced = self._waiting.pop(notice.identity, None)
            if replaced is None and len(self._waiting) >= MOST_WAITING:
                text = f"more than {MOST_WAITING} wait; the viewer does not know of the others"
                self._reports.error("states of tasks", text)
                return False
            if len(self._waiting) >= MOST_TEXTS:
                notice.shorten()
            self._waiting[notice.identity] = notice
            return len(self._waiting) == 1

    def take(self) -> list[TaskStatus]:
        """Return the statuses of some that wait, the first first, as a message can carry them."""
        with self._lock:
            some = list(self._waiting)[:MOST_TOLD]
            notices = [self._waiting.pop(identity) for identity in some]
        told: list[TaskStatus] = []
        nbytes = 0
        for number, notice in enumerate(notices):
            if nbytes > BYTES_TOLD or len(told) > wire.TASKS_LIMIT // 2:
                self._put_back(notices[number:])
                break
            for status, size in self._fitting(notice):
                told.append(status)
                nbytes += size
        return told

    def _put_back(self, notices: Sequence[TaskNotice]) -> None:
        with self._lock:
            newer, self._waiting = self._waiting, {each.identity: each for each in notices}
            self._waiting.update(newer)

    def _fitting(self, notice: TaskNotice) -> list[tuple[TaskStatus, int]]:
        """Return the statuses of a notice that a receiver can read, with their sizes."""
        try:
            found = []
            for status in notice.statuses():
                encoded = _encoder.encode(status)
                _decoder.decode(encoded)
                found.append((status, len(encoded)))
            return found
        except Exception as error:  # of names that are too long, or no Unicode
            contain(error, foreign=True)
            self._reports.error("state of a task", error)
            return []
