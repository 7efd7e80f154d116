"""Nothing that comes over the wire is ever run."""

from __future__ import annotations

import ast
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zmq

import dask_napari
from dask_napari.model import ItemMeta
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.wire import messages as wire

LOADED = """
import sys, {module}
for name, module in sorted(sys.modules.items()):
    if name.partition(".")[0] == "dask_napari" and getattr(module, "__file__", None):
        print(module.__file__)
"""

MODULES = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib", "code", "runpy"}
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
METHODS = {("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load")}
METHODS |= {("os", "system"), ("np", "fromregex")}
LOADS = {("np", "load"), ("numpy", "load")}
"""Fit for data of others with ``allow_pickle=False`` alone."""


def findings(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found += [f"imports {n}" for n in names if n.partition(".")[0] in MODULES]
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in CALLS:
                found.append(f"calls {called.id}")
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                pair = called.value.id, called.attr
                careful = any(
                    key.arg == "allow_pickle"
                    and isinstance(key.value, ast.Constant)
                    and key.value.value is False
                    for key in node.keywords
                )
                if pair in METHODS or (pair in LOADS and not careful):
                    found.append(f"calls {'.'.join(pair)}")
    return found


@pytest.mark.parametrize(
    "module", ["dask_napari.stream.receive._receiver", "dask_napari.viewer.app._run"]
)
def test_what_a_viewer_imports_of_ours_runs_no_data(module):
    listed = subprocess.run(
        [sys.executable, "-c", LOADED.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(line) for line in listed.stdout.splitlines()]
    assert len(paths) > 15
    assert {str(path): findings(path) for path in paths if findings(path)} == {}


def test_nor_does_what_is_imported_only_when_it_is_needed():
    sources = sorted(Path(dask_napari.__file__).parent.rglob("*.py"))
    assert len(sources) > 100
    found = {path.name: findings(path) for path in sources if findings(path)}
    # Of plugins and taps, which travel from the client to the workers as Dask's own do; and of the
    # client's own taps, two of which are compared by what they pickle to. The sources that are
    # compiled are a constant and modules of ours; as code they travel to the scheduler, as Dask's
    # own plugins do.
    assert found == {
        "_opener.py": ["imports cloudpickle", "calls compile"],
        "_active_taps.py": ["imports cloudpickle"],
        "scheduler_internals.py": ["imports marshal", "calls compile"],
    }


def test_the_search_finds_what_it_looks_for(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import pickle\nfrom cloudpickle import loads\neval('1')\nyaml.load('')\n"
        "np.load(x, allow_pickle=True)\nnp.load(x)\nnp.load(x, allow_pickle=y)\n__import__('os')\n"
        "np.load(x, allow_pickle=False)\n"
    )
    assert len(findings(bad)) == 8


class Canary:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.drops("malformed: ")
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_rejected_wherever_it_is_put(tmp_path, protocol):
    path = tmp_path / "was-here"
    evil = pickle.dumps(Canary(path), protocol)
    # It does what it says where it is unpickled.
    pickle.loads(pickle.dumps(Canary(tmp_path / "proof"), protocol))
    assert (tmp_path / "proof").exists()
    with (
        Receiver("tcp://127.0.0.1:*", Board(), insecure=True) as receiver,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as link,
    ):
        link.linger = 0
        link.connect(receiver.addresses[0])

        def ask(*frames: bytes) -> wire.FromReceiver:
            link.send_multipart(frames)
            assert link.poll(10_000)
            return wire.decode_from_receiver(link.recv())

        hello = wire.encode(wire.Hello(wire.WIRE_VERSION, "0", "publisher", "evil"))
        welcome = ask(hello)
        assert isinstance(welcome, wire.Welcome)
        for dtype in ("|O", "O", "|V8", f"|S{len(evil)}"):
            array = wire.ArrayHeader("data", dtype, (1,), 0, len(evil))
            item = wire.ItemHeader(
                1, ItemMeta("raw", "points", options={"colormap": evil}), [array]
            )
            ask(wire.encode(wire.Batch(welcome.epoch, 1, [item], {})), evil)
            welcome = ask(hello)
            assert isinstance(welcome, wire.Welcome)
        assert isinstance(ask(evil), wire.Refused)
        link.send(evil)  # of one that is not known any more
        deadline = time.monotonic() + 10
        while receiver.rejected.total() < 6:
            assert time.monotonic() < deadline, receiver.rejected
            threading.Event().wait(0.01)
    assert not path.exists()
