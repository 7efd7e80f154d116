"""Viewers of the fault tests: processes that can be killed, stopped and started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from dask_napari.model import Ledger
from dask_napari.record import Record
from dask_napari.stream import Control, ViewerGone
from dask_napari.stream.auth import Security, local_keys
from faults.leftovers import environment

DEADLINE = 90.0
COMMAND = Path(sys.executable).with_name("dask-napari")


def eventually(condition: Callable[[], object], what: object = "") -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE} s: {what() if callable(what) else what}")
        threading.Event().wait(0.03)


def free_address() -> str:
    """An address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


class Headless:
    """A receiver that remembers what it saw; see ``headless.py``."""

    def __init__(self, folder: Path, address: str | None = None, every: float = 0.0) -> None:
        self.folder = folder
        self.address = address or free_address()
        with (folder / "viewer.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(every),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(folder),
            )
        self.control = self._connect()

    def command(self, every: float) -> list[str]:
        listen = ["--listen", self.address, "--listen", "ipc://*"]
        return [sys.executable, "-m", "faults.headless", *listen, "--every", str(every)]

    @property
    def addresses(self) -> list[str]:
        """Where sinks find it, now and after a restart."""
        return [self.address]

    def _connect(self) -> Control:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the headless viewer did not start"
        assert self.address in json.loads(line)["addresses"]
        return Control(self.addresses, security=self.keys())

    def keys(self) -> Security | None:
        """Its keys: they lie in its private directory, where the sinks find them, too."""
        with patch.dict(os.environ, XDG_RUNTIME_DIR=str(self.folder)):
            return local_keys.find(self.address)

    def shows(self, layer: str, n: int) -> bool:
        """Whether all the places are filled."""
        with contextlib.suppress(ViewerGone):
            return self.control.request("seen").get(layer, []) == list(range(n))
        return False

    def ledger(self) -> Ledger:
        """Its ledger."""
        return self.control.ledger()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        self.process.wait(DEADLINE)
        self.control.close()
        self._close_pipes()

    def close(self) -> None:
        """End it as a user would."""
        self.control.close()
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        assert self.process.wait(DEADLINE) in (0, -signal.SIGKILL), "the viewer did not end well"
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Napari(Headless):
    """``dask-napari view``, with its window."""

    question = "screenshot"
    """Answered by the window's event loop, so it is open."""

    def command(self, every: float) -> list[str]:
        return [str(COMMAND), "view", "--listen", self.address]

    def _connect(self) -> Control:
        found: list[Control] = []

        def connected() -> bool:
            assert self.process.poll() is None, "the viewer ended"
            if (keys := self.keys()) is None:
                return False
            with contextlib.suppress(ViewerGone):
                found.append(Control(self.addresses, security=keys, timeout=1.0))
                found[0].request(self.question, timeout=DEADLINE)
            return bool(found)

        eventually(connected)
        return found[0]

    def shows(self, layer: str, n: int) -> bool:
        with contextlib.suppress(ViewerGone):
            ledger = self.ledger()
            return layer in ledger and ledger[layer].shown + ledger[layer].coalesced >= n
        return False


class Recorder(Napari):
    """``dask-napari record``; started again on the same address, it goes on with its record."""

    question = "recorded"

    @property
    def path(self) -> Path:
        """The record."""
        return self.folder / f"{self.address.rpartition(':')[2]}.zarr"

    def command(self, every: float) -> list[str]:
        again = ["--append"] if (self.path / "zarr.json").exists() else []
        return [str(COMMAND), "record", str(self.path), "--listen", self.address, *again]

    def shows(self, layer: str, n: int) -> bool:
        """Whether all the places are in the record, with the pixels that were made for them."""
        places = {
            line.meta.position["n"] for line in Record(self.path).lines if line.meta.layer == layer
        }
        return places == set(range(n)) and all(
            (item.data == item.position["n"]).all() for item in Record(self.path).items()
        )


VIEWERS: dict[str, type[Headless]] = {"headless": Headless, "napari": Napari, "recorder": Recorder}
