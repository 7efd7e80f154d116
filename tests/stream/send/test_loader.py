"""Outputs whose code hangs: reported and left out, while the stream goes on."""

from __future__ import annotations

import logging
import mmap
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
import pytest

from dask_napari.model import Item, Policy, Reports
from dask_napari.stream.send import Publisher
from dask_napari.stream.send._entries import ItemEntry
from dask_napari.stream.send._loader import HUNG, Loader, LoaderThread
from dask_napari.stream.send._outbox import Outbox
from headless import Headless, eventually

PATIENCE = 0.4


class Output:
    """An entry with code of its own in the call that is named."""

    nbytes = 10
    owner = 0
    policy: Policy = "latest"

    def __init__(
        self, n: int, layer: str = "raw", code: Callable[[], object] = bool, at: str = "items"
    ) -> None:
        self.n, self.layer, self.key = n, layer, f"task-{n}"
        self.foreign = True
        self._code, self._at = code, at

    def place(self) -> Hashable:
        if self._at == "place":
            self._code()
        return self.layer, self.n

    def items(self) -> Sequence[Item]:
        if self._at == "items":
            self._code()
        return (Item(self.layer, "image", np.full((4, 4), self.n, np.uint8), {"n": self.n}),)

    def forget(self) -> bool:
        return False


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """What hanging outputs wait for; set at the end."""
    event = threading.Event()
    yield event
    event.set()
    eventually(lambda: not loaders())


def loaders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "dask-napari-loader"]


def dropped(publisher: Publisher, layer: str) -> dict[str, int]:
    return dict(publisher.counts()[layer].dropped)


def test_outputs_whose_code_returns_arrive_in_their_order(hang):
    with Headless() as viewer, Publisher(viewer.receiver.addresses, name="me") as publisher:
        for n in range(200):
            if n % 3:
                publisher.put(Output(n, code=lambda: threading.get_ident()), "keep")
            else:
                publisher.put(Item("raw", "image", np.zeros((4, 4), np.uint8), {"n": n}), "keep")
        viewer.until_shown("raw", 200)
        assert not publisher.wait(10).total.dropped
        publisher.put(Output(7))
        newer = Item("raw", "image", np.full((4, 4), 77, np.uint8), {"n": 7})
        publisher.put(ItemEntry(newer))
        publisher.wait(10)
        viewer.until_settled()
        assert {item.position["n"]: item.data[0, 0] for item in viewer.items}[7] == 77
    assert not loaders()


def test_code_of_others_keeps_off_the_publishers_thread(hang):
    ran: list[str] = []

    def code() -> None:
        ran.append(threading.current_thread().name)

    with Headless() as viewer, Publisher(viewer.receiver.addresses, name="me") as publisher:
        for n, at in enumerate(("place", "items")):
            publisher.put(Output(n, code=code, at=at))
        viewer.until_shown("raw", 2)
    assert ran == ["dask-napari-loader"] * 2


@pytest.mark.drops("not (read|placed) within")
@pytest.mark.parametrize(("at", "reason"), [("items", "not read"), ("place", "not placed")])
def test_an_output_that_hangs_is_reported_and_the_stream_goes_on(hang, at, reason, caplog):
    reason = f"{reason} within {PATIENCE:g} s"
    with (
        Headless() as viewer,
        Publisher(viewer.receiver.addresses, name="me", output_timeout=PATIENCE) as publisher,
    ):
        for n in range(30):
            publisher.put(Output(n, code=hang.wait if n == 10 else bool, at=at))
        ledger = publisher.wait(10)
        viewer.until_shown("raw", 29)
        viewer.until_settled()
        assert ledger.total.pending == 0
        assert dropped(publisher, "raw") == {reason: 1}
        assert viewer.receiver.ledger().total.dropped == {reason: 1}
        eventually(lambda: any(r.key == "task-10" for _, r in viewer.receiver.reports()))
        assert viewer.receiver.ledger().balanced
        assert len(viewer.receiver.peers()) == 1
    (record,) = (r for r in caplog.records if reason in r.getMessage())
    assert record.levelno == logging.WARNING
    assert "'raw'" in record.getMessage()
    assert "'task-10'" in record.getMessage()
    assert len(loaders()) == 1  # that which was given up, until its output returns


@pytest.mark.drops("not read within", "earlier outputs hang")
def test_threads_that_are_given_up_are_few_and_come_back(hang):
    with (
        Headless() as viewer,
        Publisher(viewer.receiver.addresses, name="me", output_timeout=0.1) as publisher,
    ):
        for n in range(20):
            publisher.put(Output(n, "bad", hang.wait))
            publisher.put(Output(n, "good"))
        publisher.wait(20)
        viewer.until_shown("good", 20)
        assert dropped(publisher, "bad") == {"not read within 0.1 s": 2, "earlier outputs hang": 18}
        assert len(loaders()) == 3
        for n in range(20):
            publisher.put(Output(n, f"bad {n}", hang.wait))
        publisher.wait(20)
        assert len(loaders()) <= HUNG + 1
        hang.set()
        eventually(lambda: len(loaders()) <= 1)
        publisher.put(Output(99, "bad"))
        viewer.until_shown("bad", 1)


@pytest.mark.drops("closed")
def test_close_does_not_wait_for_an_output_that_hangs(hang):
    with Headless() as viewer:
        publisher = Publisher(viewer.receiver.addresses, name="me")
        publisher.start()
        publisher.put(Output(0))
        viewer.until_shown("raw", 1)
        begun = threading.Event()
        publisher.put(Output(1, code=lambda: begun.set() or hang.wait()))
        publisher.put(Output(2))
        assert begun.wait(10)
        began = time.monotonic()
        ledger = publisher.close(timeout=0.5)
        assert time.monotonic() - began < 2
        assert ledger.balanced
        assert not ledger.total.pending
        viewer.until_settled()


@pytest.mark.drops("not placed within")
def test_without_a_viewer_outputs_that_hang_are_left_out_too(hang):
    publisher = Publisher("tcp://127.0.0.1:1", name="me", output_timeout=PATIENCE)
    with publisher:
        publisher.put(Output(0, code=hang.wait, at="place"))
        publisher.put(Output(1))
        eventually(lambda: publisher.counts()["raw"].dropped)
        assert len(publisher.outbox) == 1


@pytest.mark.drops("no thread")
def test_without_a_thread_arrays_are_shown_and_the_rest_is_counted(hang, monkeypatch):
    def no_thread(self: LoaderThread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(LoaderThread, "start", no_thread)
    with Headless() as viewer, Publisher(viewer.receiver.addresses, name="me") as publisher:
        publisher.put(Output(0))
        publisher.put(Item("raw", "image", np.zeros((4, 4), np.uint8), {"n": 1}))
        viewer.until_shown("raw", 1)
        publisher.wait(10)
        assert dropped(publisher, "raw") == {"no thread": 1}


def test_pages_of_a_file_are_read_by_the_loader(hang, tmp_path):
    path = tmp_path / "pixels"
    path.write_bytes(bytes(range(256)))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        array = np.frombuffer(pages, np.uint8).reshape(16, 16)
        item = Item("raw", "image", array, {"n": 0})
        with Headless() as viewer, Publisher(viewer.receiver.addresses, name="me") as publisher:
            publisher.put(item)
            viewer.until_shown("raw", 1)
            publisher.wait(10)
        np.testing.assert_array_equal(viewer.items[0].data, array)
        assert item.data.base is None
        del array


def test_tasks_that_share_places_are_noted():
    """Those that coalesce here never reach a viewer, which could not tell of them."""
    reports, outbox = Reports(), Outbox(1 << 20)
    loader = Loader(outbox, reports)
    for n in (0, 1, 2, 3, 4, 5, 5):  # the last is a task that has run once more
        output = Output(n)
        output.foreign = False
        output.place = lambda n=n: ("raw", n % 2)
        outbox.put(output)
    loader.look()
    loader.advance()
    assert outbox.counts()["raw"].coalesced == 5
    (report,) = reports.all()
    assert report.note
    assert report.text.startswith("6 tasks fill 2 places, and replace each other's outputs there")
