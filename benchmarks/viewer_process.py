"""Process of a benchmark's viewer, asked by lines of its standard input."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

ANSWER_TIMEOUT: Final = 120.0
"""Seconds for an answer, on a busy machine and after kills."""


class ViewerProcess:
    """Run ``python -m module --viewer address``, which prints a line of JSON for each one it reads.

    Its first line tells its addresses; the one numbered ``which`` stays its address when it is
    started again. ``greeting`` is the first line that it reads, if there is any.
    """

    def __init__(
        self,
        module: str,
        address: str,
        which: int = 0,
        *,
        greeting: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self._module = module
        self._which = which
        self._greeting = greeting
        self._env = env
        self.start()

    def start(self) -> None:
        """Start the process, at the address that it had before."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", self._module, "--viewer", self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._env,
        )
        if self._greeting:
            self._write(self._greeting)
        self.address = self._read()["addresses"][self._which]

    def ask(self, question: str = "") -> dict[str, Any]:
        """Return the answer to a line."""
        self._write(question)
        return self._read()

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], ANSWER_TIMEOUT)[0]:
            raise RuntimeError("the viewer does not answer")
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def end(self, kill: bool) -> None:
        """Have the viewer end as its input closes, or kill it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if kill:
            self.process.kill()
        self.process.stdin.close()
        self.process.wait(ANSWER_TIMEOUT)
        self.process.stdout.close()
