"""Notices of tasks: the newest of each, bounded, and fit for a message."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import msgspec
import pytest

from dask_napari.model import ItemMeta, Provenance, Reports, TaskStatus
from dask_napari.stream import Board, Publisher, Receiver
from dask_napari.stream.send import _task_notices as module
from dask_napari.stream.send._task_notices import TaskNotices
from dask_napari.stream.wire import messages as wire
from headless import eventually


@dataclass
class Notice:
    key: str
    state: str = "running"
    items: int = 1
    traceback: str = ""

    @property
    def identity(self) -> str:
        return self.key

    def statuses(self) -> list[TaskStatus]:
        return [
            TaskStatus(
                ItemMeta("raw", "image", {"t": n}, Provenance(self.key, "w")),
                self.state,
                "",
                self.traceback,
            )
            for n in range(self.items)
        ]

    def shorten(self) -> None:
        self.traceback = ""


def keys(statuses: list[TaskStatus]) -> list[str]:
    return [status.meta.provenance.key for status in statuses]


def test_the_newest_notice_of_a_task_counts():
    notices = TaskNotices(Reports())
    assert notices.put(Notice("a"))
    assert not notices.put(Notice("b"))
    assert not notices.put(Notice("a", "failed"))
    told = notices.take()
    assert [(status.meta.provenance.key, status.state) for status in told] == [
        ("b", "running"),
        ("a", "failed"),
    ]
    assert notices.take() == []
    assert notices.put(Notice("a"))


def test_notices_and_texts_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 6)
    monkeypatch.setattr(module, "MOST_TEXTS", 2)
    monkeypatch.setattr(module, "MOST_TOLD", 4)
    reports = Reports(logging.getLogger("task notices"))
    notices = TaskNotices(reports)
    for n in range(9):
        notices.put(Notice(f"k{n}", traceback="where"))
    notices.put(Notice("k3", "failed"))  # known, so that there is room
    (report,) = reports.all()
    assert report.reason == "states of tasks"
    first, rest = notices.take(), notices.take()
    assert keys(first + rest) == ["k0", "k1", "k2", "k4", "k5", "k3"]
    assert [status.traceback for status in first] == ["where", "where", "", ""]


def test_what_is_told_at_once_fits_into_a_message(monkeypatch):
    notices = TaskNotices(Reports())
    for n in range(100):
        notices.put(Notice(f"k{n}", items=200, traceback="x" * 16_000))
    told = 0
    while len(notices):
        statuses = notices.take()
        told += len(statuses)
        header = wire.encode(wire.Status(1, {}, tasks=statuses))
        wire.decode_from_publisher(header)
    assert told == 20_000


@pytest.mark.parametrize("key", ["\udc80", "x" * 40_000])
def test_a_name_that_cannot_travel_is_reported_and_the_others_go(key):
    reports = Reports()
    notices = TaskNotices(reports)
    for each in ("a", key, "b"):
        notices.put(Notice(each))
    assert keys(notices.take()) == ["a", "b"]
    assert [report.reason for report in reports.all()] == ["state of a task"]


def test_an_idle_publisher_tells_soon_and_anew_after_each_connection():
    connected: list[bool] = []
    with Receiver("ipc://*", Board()) as receiver:
        publisher = Publisher(
            receiver.addresses, name="w", group="g", on_connected=lambda: connected.append(True)
        )
        with publisher:
            eventually(lambda: connected)
            publisher.tell_task(Notice("a"))
            eventually(lambda: len(receiver.cluster._statuses))
            ((run, status),) = receiver.cluster.take_statuses()
            assert (run, status.state) == (1, "running")
        eventually(lambda: len(receiver.cluster._statuses))  # by its BYE
        ((run, status),) = receiver.cluster.take_statuses()
        assert (run, status.state, status.meta.layer) == (1, "withdrawn", "")
        assert status.meta.provenance.worker == "w"


def test_an_older_viewer_reads_a_status_without_the_tasks():
    class OlderStatus(msgspec.Struct, tag="STATUS", tag_field="type"):
        epoch: int
        counts: dict[str, object]

    tasks = Notice("a").statuses()
    older = msgspec.msgpack.decode(wire.encode(wire.Status(3, {}, tasks=tasks)), type=OlderStatus)
    assert older.epoch == 3
