"""The process of ImageJ: commands in, replies out, and its end with this one."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dask_napari.fiji._imagej_programs import ImageJPrograms
from dask_napari.fiji._plane_file import PlaneFile
from dask_napari.system import RuntimeDirectory, never_block, start_child, unnamed_file

REPLY: Final = b"@dask-napari "
"""Beginning of a reply; ImageJ and its plugins may write other lines."""

START_TIMEOUT: Final = 120.0
"""Seconds until the plugin answers; 3 on an idle host, and Fiji has hundreds of plugins."""

END_TIMEOUT: Final = 5.0
"""Seconds for ImageJ to end by itself; its plugin takes 2 at most."""

REPLY_LIMIT: Final = 1 << 20
"""Bytes without an end of line that are kept."""


class ImageJProcess:
    """ImageJ with the plugin; :meth:`tell` never waits for it."""

    def __init__(self, programs: ImageJPrograms, file: PlaneFile) -> None:
        self._classes = RuntimeDirectory()
        self._log = unnamed_file(Path(tempfile.gettempdir()))
        self._unsent = bytearray()
        self._received = b""
        self._replies: deque[list[str]] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self.ended = False
        try:
            programs.compile(self._classes.path)
            descriptor = file.fileno()
            self._process = start_child(
                programs.command(self._classes.path, f"/dev/fd/{descriptor}"),
                self._log,
                keep=(descriptor,),
                piped=True,
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._input = self._process.stdin.fileno()
            self._output = self._process.stdout.fileno()
            never_block(self._input)
            never_block(self._output)
            self.version = self._await_plugin()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        state = "ended" if self.ended else "running"
        return f"<ImageJProcess {state}, {len(self._unsent)} bytes to tell>"

    def _await_plugin(self) -> str:
        """Return ImageJ's version once the plugin runs. Raises OSError."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and not self.ended:
            for reply in self.replies(0.1):
                if reply[0] == "ready":
                    return reply[1]
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        told = self._log.read().decode("utf-8", "replace").strip()
        raise OSError(f"ImageJ {'ended' if self.ended else 'does not answer'}: {told}")

    @property
    def pid(self) -> int:
        """Number of the process."""
        assert self._process is not None
        return self._process.pid

    def tell(self, commands: Sequence[str]) -> None:
        """Send commands, as soon as ImageJ reads them."""
        self._unsent += "".join(f"{line}\n" for line in commands).encode("utf-8", "replace")
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._input, self._unsent[: 1 << 16])]
        except BlockingIOError:
            return
        except OSError:  # it has ended
            self.ended = True

    def replies(self, timeout: float = 0.0) -> list[list[str]]:
        """Return the fields of each reply that has come, after so many seconds at most."""
        writers = [self._input] if self._unsent else []
        ready, writable, _ = select.select([self._output], writers, [], timeout)
        if writable:
            self._send()
        if ready:
            with contextlib.suppress(BlockingIOError):
                data = os.read(self._output, 1 << 16)
                self.ended |= not data
                *lines, rest = (self._received + data).split(b"\n")
                self._received = rest[-REPLY_LIMIT:]
                for line in lines:
                    if line.startswith(REPLY):
                        text = line.removeprefix(REPLY).decode("utf-8", "replace")
                        self._replies.append(text.split("\t"))
        found = [*self._replies]
        self._replies.clear()
        return found

    def close(self) -> None:
        """End ImageJ and remove the plugin; may be called again."""
        self.ended = True
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            for end in (None, self._process.terminate, self._process.kill):
                if end is not None:
                    end()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_TIMEOUT)
                    break
        self._log.close()
        self._classes.close()
