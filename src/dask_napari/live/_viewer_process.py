"""A viewer in a process of its own, which ends with the process that started it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from typing import Final

from dask_napari.stream.auth import Security
from dask_napari.stream.shm import janitor

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
        read, write = os.pipe()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - can be read after the viewer's end
        weakref.finalize(self, self._log.close)
        command = [sys.executable, "-m", "dask_napari.viewer", "--watch-parent", "--security-stdin"]
        command += [f"--ready-fd={write}", f"--title={title}"]
        command += [f"--listen={address}" for address in listen]
        command += ["--insecure"] if insecure else []
        command += [] if memory is None else [f"--memory={memory}"]
        try:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(write,),
                # Ctrl-C in the terminal is for the script, whose end is the viewer's.
                start_new_session=True,
            )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        try:
            with os.fdopen(read, "rb") as pipe:
                assert self.process.stdin is not None
                self.process.stdin.write(security.dumps().encode() + b"\n")
                self.process.stdin.flush()
                ready = self._read_line(pipe.fileno(), time.monotonic() + timeout)
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

    def _read_line(self, pipe: int, deadline: float) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise TimeoutError("nothing heard from the viewer's process")
            part = os.read(pipe, 4096)
            if not part:
                raise EOFError("the viewer's process ended")
            line += part
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
        start = max(0, size - last)
        return os.pread(self._log.fileno(), last, start).decode(errors="replace").strip()

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


os.register_at_fork(after_in_child=_hang_up_in_child)
