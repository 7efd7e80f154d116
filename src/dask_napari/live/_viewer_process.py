"""A viewer in a process of its own, which ends with the process that started it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Final

from dask_napari.stream.auth import Security
from dask_napari.stream.shm import janitor
from dask_napari.system import APART, after_fork, read_bytes

QUIT_TIMEOUT: Final = 10.0
"""Seconds for a window to close."""

TERMINATE_TIMEOUT: Final = 1.0
"""Seconds of those that are left when a window that does not close by itself is terminated."""

_viewers: Final[weakref.WeakSet[ViewerProcess]] = weakref.WeakSet()


class ViewerFailed(RuntimeError):
    """The viewer's process did not come up; the text holds the end of its log."""


class ViewerProcess:
    """Start ``python -m dask_napari.viewer`` and wait until it listens.

    Its standard input closes when this process ends, however it ends, and the viewer then quits. A
    process of its own because napari needs the main thread, and so that nothing the viewer does can
    stall the client. The keys travel through standard input, not through the command line.
    ``memory`` is in bytes, without limit if None; ``timeout`` in seconds. Raises ViewerFailed if
    the viewer ends or says nothing in time.
    """

    def __init__(
        self,
        listen: Sequence[str],
        *,
        security: Security,
        title: str,
        timeout: float,
        memory: int | None = None,
        insecure: bool = False,
    ) -> None:
        _viewers.add(self)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - can be read after the viewer's end
        weakref.finalize(self, self._log.close)
        command = [sys.executable, "-m", "dask_napari.viewer", "--watch-parent", "--security-stdin"]
        command += ["--ready-stdout", f"--title={title}"]
        command += [f"--listen={address}" for address in listen]
        command += ["--insecure"] if insecure else []
        command += [] if memory is None else [f"--memory={memory}"]
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            **APART,  # Ctrl-C in the terminal is for the script, whose end is the viewer's
        )
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(security.dumps().encode() + b"\n")
            self.process.stdin.flush()
            ready = self._read_line(timeout)
            self.addresses: tuple[str, ...] = tuple(json.loads(ready)["addresses"])
        except (OSError, EOFError, ValueError, KeyError) as error:
            self.close(timeout=0)
            janitor.sweep()  # a window that fails takes its receiver down with it, unclosed
            raise ViewerFailed(
                f"the viewer did not open within {timeout:.0f} s:\n{self.log() or error}\n"
                "Run `dask-napari doctor` to see what is missing."
            ) from error
        except BaseException:
            self.close(timeout=0)
            raise

    def __repr__(self) -> str:
        state = "running" if self.running else f"ended with {self.process.returncode}"
        return f"<ViewerProcess {self.process.pid}: {state}>"

    def _read_line(self, timeout: float) -> bytes:
        """Return what the viewer says when it listens; it says no more."""
        pipe = self.process.stdout
        assert pipe is not None
        lines: SimpleQueue[bytes] = SimpleQueue()

        def read() -> None:
            with pipe:
                lines.put(pipe.readline())

        # A thread, since Windows polls no pipes; it ends with the viewer's process if not before.
        threading.Thread(target=read, name="dask-napari-viewer-ready", daemon=True).start()
        try:
            line = lines.get(timeout=timeout)
        except Empty:
            raise TimeoutError("nothing heard from the viewer's process") from None
        if not line.endswith(b"\n"):
            raise EOFError("the viewer's process ended")
        return line

    @property
    def running(self) -> bool:
        """True while the viewer's process runs."""
        return self.process.poll() is None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the viewer; return whether it has ended."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def log(self, last: int = 4000) -> str:
        """Return the end of the viewer's output."""
        size = os.fstat(self._log.fileno()).st_size
        return (
            read_bytes(self._log.fileno(), max(0, size - last), size)
            .decode(errors="replace")
            .strip()
        )

    def hang_up(self) -> None:
        """Close the viewer's standard input, upon which its window closes."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def close(self, timeout: float = QUIT_TIMEOUT) -> bool:
        """Hang up, and see to it that the viewer ends in time; return false if it was killed."""
        self.hang_up()
        if self.wait(max(0.0, timeout - TERMINATE_TIMEOUT)):
            return True
        self.process.terminate()
        if self.wait(TERMINATE_TIMEOUT):
            return True
        self.process.kill()
        self.process.wait()
        return False


def _hang_up_in_child() -> None:
    """Close a forked child's copies of the viewers' standard inputs.

    With one of them open, a window would stay until the child ends.
    """
    for viewer in list(_viewers):
        process = getattr(viewer, "process", None)
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()


after_fork(_hang_up_in_child)
