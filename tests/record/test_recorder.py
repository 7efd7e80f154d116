"""The recorder: what it does at the end of a stream, of a disk and of itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_napari.model import Item, LayerSpec, Layout
from dask_napari.record import Record, Recorder, replay
from dask_napari.stream.receive import Board
from dask_napari.stream.send import Publisher
from dask_napari.stream.wire import Limits
from example_counts import examples
from headless import Headless, eventually
from record_items import IN_MEMORY, assert_holds, items

ADDRESS = "tcp://127.0.0.1:*"


def frame(n: int, side: int = 16) -> Item:
    return Item("raw", "image", np.full((side, side), n, "u2"), {"n": n})


def recorded(path: Path, sent: list[Item], **how: object) -> Recorder:
    with Recorder(path, ADDRESS, **how) as recorder:
        with Publisher(recorder.receiver.addresses, name="me") as publisher:
            for item in sent:
                publisher.put(item)
            publisher.close(30)
        recorder.run(until_done=True)
    return recorder


def test_it_ends_when_all_have_gone_and_its_ledger_is_in_the_record(tmp_path):
    recorder = recorded(tmp_path / "run.zarr", [frame(n) for n in range(5)])
    record = Record(tmp_path / "run.zarr")
    assert record.closed
    assert len(record) == 5
    assert record.sessions[0]["ledger"] == [["me", "raw", 5, 5, 0, {}, 0]]
    assert record.sessions[0]["started"] <= record.sessions[0]["ended"]
    assert recorder.receiver.ledger().balanced


def test_a_record_may_be_gone_on_with(tmp_path):
    recorded(tmp_path / "run.zarr", [frame(n) for n in (0, 1, 2)])
    recorded(tmp_path / "run.zarr", [frame(n, 8) for n in (2, 3)], append=True)
    record = Record(tmp_path / "run.zarr")
    assert {i.position["n"]: i.data.shape[0] for i in record.items()} == {0: 16, 1: 16, 2: 8, 3: 8}
    assert [s["ledger"][0][2] for s in record.sessions] == [3, 2]
    with pytest.raises(FileExistsError, match="--append"):
        Recorder(tmp_path / "run.zarr", ADDRESS)


def test_runs_are_told_apart_and_replayed_as_runs(tmp_path):
    path = tmp_path / "run.zarr"
    spots = Item("spots", "points", np.ones((3, 2)), {"n": 0})
    with Recorder(path, ADDRESS) as recorder:
        for group, sent in ("a", [frame(0), frame(1), spots]), ("b", [frame(0, 8), spots]):
            with Publisher(recorder.receiver.addresses, name=group, group=group) as publisher:
                for item in sent:
                    publisher.put(item)
                publisher.close(30)
        recorder.run(until_done=True)
    record = Record(path)
    assert record.runs == (1, 2)
    found = {(i.run, i.layer, i.position["n"]): i.data.shape for i in record.items()}
    assert found == {
        (1, "raw", 0): (16, 16),
        (1, "raw", 1): (16, 16),
        (1, "spots", 0): (3, 2),
        (2, "raw", 0): (8, 8),
        (2, "spots", 0): (3, 2),
    }
    assert sorted(record.images()) == ["raw", "raw_run_2"]
    with Everything(ADDRESS) as viewer:
        assert replay(record, viewer.receiver.addresses) == 5
        viewer.until(lambda: len(viewer.items) == 5)
        assert [item.run for item in viewer.items] == [1, 1, 1, 2, 2]


def test_a_record_that_is_gone_on_with_counts_its_runs_on(tmp_path):
    path = tmp_path / "run.zarr"

    def record_from(group: str, item: Item, **how: object) -> None:
        with Recorder(path, ADDRESS, **how) as recorder:
            with Publisher(recorder.receiver.addresses, name="me", group=group) as publisher:
                publisher.put(item)
                publisher.close(30)
            recorder.step()
            # Before the end, which a kill would take away.
            runs = json.loads((path / "zarr.json").read_text())["attributes"]["dask-napari"]["runs"]
            assert set(runs.values()) >= set(Record(path).runs)
            recorder.run(until_done=True)

    record_from("monday", frame(0))
    record_from("tuesday", frame(0), append=True)
    record_from("monday", frame(1), append=True)  # its recorder was away
    record_from("wednesday", frame(2), append=True)
    found = [(item.run, item.position["n"]) for item in Record(path).items()]
    assert sorted(found) == [(1, 0), (1, 1), (2, 0), (3, 2)]
    assert not any(b"monday" in file.read_bytes() for file in path.rglob("*") if file.is_file())

    # An earlier version did not write down whose runs they were.
    found = json.loads((path / "zarr.json").read_text())
    del found["attributes"]["dask-napari"]["runs"]
    (path / "zarr.json").write_text(json.dumps(found))
    record_from("monday", frame(3), append=True)
    assert Record(path).runs == (1, 2, 3, 4)


@pytest.mark.parametrize("runs", [{"a": 0}, {"a": "1"}, {"a": 1 << 60}, [1]])
def test_runs_that_no_recorder_writes_are_refused(tmp_path, runs):
    path = tmp_path / "run.zarr"
    recorded(path, [frame(0)])
    found = json.loads((path / "zarr.json").read_text())
    found["attributes"]["dask-napari"]["runs"] = runs
    (path / "zarr.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match="not a record"):
        Recorder(path, ADDRESS, append=True)


def test_a_record_without_runs_is_one_run(tmp_path):
    path = tmp_path / "run.zarr"
    recorded(path, [frame(0), frame(1)])
    journal = path / "items.jsonl"
    assert b'"run"' not in journal.read_bytes(), "as earlier versions write and read it"
    attributes = path / "raw" / "zarr.json"
    found = json.loads(attributes.read_text())
    del found["attributes"]["dask-napari"]["image"]["family"]["run"]
    attributes.write_text(json.dumps(found))
    recorded(path, [frame(1), frame(2)], append=True)
    record = Record(path)
    assert (record.runs, record.images(), len(record)) == ((1,), ["raw"], 3)


def test_what_taps_say_of_layers_is_recorded(tmp_path):
    spec = LayerSpec(
        "raw",
        "image",
        {"well": "mosaic", "channel": "layer"},
        {"colormap": "green", "contrast_limits": [0, 4095]},
        {"well": Layout(plate=96, names={"A01": "control"}, places={"A01": (1.0, 2.0)})},
        "separate",
        float("inf"),
    )
    with Recorder(tmp_path / "run.zarr", ADDRESS) as recorder:
        with Publisher(recorder.receiver.addresses, name="me") as publisher:
            publisher.declare([spec])
            publisher.put(frame(0))
            publisher.close(30)
        recorder.run(until_done=True)
    assert Record(tmp_path / "run.zarr").layers == [spec]


def test_a_disk_that_is_slower_than_the_stream_makes_the_senders_wait(tmp_path):
    board, limits = Board(limit=1 << 20), Limits(credit=2 << 20)
    sent = [frame(n, 256) for n in range(160)]  # 20 MiB
    with Recorder(tmp_path / "run.zarr", ADDRESS, board=board, limits=limits) as recorder:
        with Publisher(recorder.receiver.addresses, name="me") as publisher:
            for item in sent:
                publisher.put(item, "keep")
            # Nothing is written yet: the disk could not be slower.
            eventually(lambda: board.full)
            eventually(lambda: recorder.receiver.protocol.withheld)
            assert board.nbytes <= 7 << 20  # its limit, the credit and a batch
            assert publisher.outbox.budget.held >= 12 << 20
            thread = threading.Thread(target=recorder.run, kwargs={"until_done": True})
            thread.start()
            publisher.close(60)
        thread.join()
    assert len(Record(tmp_path / "run.zarr")) == 160
    ledger = recorder.receiver.ledger()
    assert ledger.balanced
    assert ledger.total.shown == 160


@pytest.mark.drops("viewer-gone")
def test_nothing_is_pending_in_the_record_of_a_recorder_that_ended_first(tmp_path):
    board, limits = Board(limit=1 << 20), Limits(credit=2 << 20)
    recorder = Recorder(tmp_path / "run.zarr", ADDRESS, board=board, limits=limits)
    with recorder, Publisher(recorder.receiver.addresses, name="me") as publisher:
        for n in range(160):
            publisher.put(frame(n, 256), "keep")
        eventually(lambda: recorder.receiver.ledger().total.pending > 0 and board.full)
        recorder.close()
    ((_, _, selected, shown, _, dropped, pending),) = Record(tmp_path / "run.zarr").sessions[0][
        "ledger"
    ]
    assert pending == 0
    assert dropped == {"viewer-gone": selected - shown}
    assert 0 < shown < selected


# -- replay ------------------------------------------------------------------------------------


class Everything(Headless):
    """Keeps items by their place among all there are."""

    def items_of(self, count: int) -> list[Item]:
        self.until(lambda: len({item.place for item in self.items}) >= count)
        return self.items


@settings(max_examples=examples(6))
@given(st.lists(items(), min_size=1, max_size=6))
def test_recorded_and_replayed_items_are_the_same(sent):
    folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
    path = folder / "run.zarr"
    recorded(path, sent)
    record = Record(path)
    assert_holds(record.items(), sent)
    wanted = len({item.place for item in sent})
    with Everything(ADDRESS) as viewer:
        assert replay(record, viewer.receiver.addresses) == wanted
        assert_holds(viewer.items_of(wanted), sent)
        assert viewer.receiver.ledger().balanced
    shutil.rmtree(folder)


def test_a_replay_waits_for_a_viewer_that_is_slow_and_holds_little(tmp_path):
    sent = [frame(n, 128) for n in range(600)]  # more than may wait
    recorded(tmp_path / "run.zarr", sent)
    most = 0
    with Everything(ADDRESS) as viewer:
        record = Record(tmp_path / "run.zarr")
        most = replay(record, viewer.receiver.addresses, progress=lambda sent: viewer.take())
        assert most == 600
        found = viewer.items_of(600)
    assert [item.position["n"] for item in found] == list(range(600))


def test_items_without_a_position_are_told_apart_by_their_tasks():
    assert Item("a", "image", np.ones((2, 2))).at == {"item": ""}


# -- the disk ----------------------------------------------------------------------------------

NAMESPACE = (
    shutil.which("unshare") is not None
    and not subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode
)

FULL = """
import json, logging, subprocess, sys, time
from pathlib import Path
import numpy as np
from dask_napari.record import Record, Recorder
from dask_napari.stream import Item, Publisher

logging.basicConfig()
disk, trouble = Path(sys.argv[1]), sys.argv[2]
path = disk / "run.zarr"
noise = np.random.default_rng(0)
numbers = iter(range(1000))
(disk / "fill").write_bytes(bytes(14 << 20))  # of 24

def send(publisher, recorder, count):
    for n in [next(numbers) for _ in range(count)]:
        data = noise.integers(0, 1 << 16, (512, 512), "u2")
        publisher.put(Item("raw", "image", data, {"n": n}), "keep")
    end = time.monotonic() + 60
    while (total := recorder.receiver.ledger().total).shown + total.dropped.total() <= n:
        recorder.board.wait(0.1)
        recorder.step()
        assert time.monotonic() < end

frames = path / "raw" / "0"  # where the chunks go

def make_trouble():
    if trouble == "read-only":
        subprocess.run(["mount", "--bind", frames, frames], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", frames], check=True)

def make_room():
    if trouble == "read-only":
        subprocess.run(["umount", frames], check=True)
    (disk / "fill").unlink()

with Recorder(path, "tcp://127.0.0.1:*") as recorder:
    with Publisher(recorder.receiver.addresses, name="me") as publisher:
        send(publisher, recorder, 4)
        make_trouble()
        send(publisher, recorder, 20)
        recorder.save()
        middle = recorder.receiver.ledger().total
        part = [i.position["n"] for i in Record(path).items()]
        make_room()
        send(publisher, recorder, 6)
        publisher.close(30)
    recorder.run(until_done=True)
    ledger = recorder.receiver.ledger()
record = Record(path)
found = list(record.items())
print(json.dumps({
    "dropped": dict(ledger.total.dropped), "then": dict(middle.dropped),
    "balanced": ledger.balanced and middle.balanced,
    "shown": ledger.total.shown, "part": part,
    "recorded": [i.position["n"] for i in found],
    "ledger": record.sessions[-1]["ledger"], "closed": record.closed,
    "left": [p.name for p in path.rglob("*.part")],
}))
"""


@pytest.mark.drops("disk-full", "disk-read-only")
@pytest.mark.errors("disk-full; make room there|disk-read-only; mount it for writing")
@pytest.mark.parametrize(
    ("trouble", "reason"), [("full", "disk-full"), ("read-only", "disk-read-only")]
)
def test_a_disk_that_takes_no_more_costs_items_and_not_the_record(tmp_path, trouble, reason):
    if not NAMESPACE:
        pytest.skip("mount namespaces are not permitted here")
    script = tmp_path / "full.py"
    script.write_text(textwrap.dedent(FULL))
    disk = tmp_path / "disk"
    disk.mkdir()
    setup = f'mount --make-rprivate / && mount -t tmpfs -o size=24m tmpfs {disk} && exec "$@"'
    command = [sys.executable, str(script), str(disk), trouble]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", setup, "sh", *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["dropped"].keys() == {reason}
    assert found["then"] == found["dropped"]  # nothing more once there was room
    assert found["balanced"]
    assert found["closed"]
    assert found["left"] == []
    assert len(found["recorded"]) == found["shown"] == 30 - found["dropped"][reason]
    assert found["recorded"][: len(found["part"])] == found["part"]
    assert found["recorded"][-6:] == [24, 25, 26, 27, 28, 29]
    total = ["me", "raw", 30, found["shown"], 0, found["dropped"], 0]
    assert found["ledger"] == [total]
    assert done.stderr.count(reason) == 1, done.stderr  # said once, with a remedy
    assert {"full": "make room there", "read-only": "mount it for writing"}[trouble] in done.stderr
    assert done.stderr.count("recording again") == 1
