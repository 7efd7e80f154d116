"""Programs that end with the process that started them, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Final

from dask_napari.system._platform import APART

_PR_SET_PDEATHSIG: Final = 1
"""From ``sys/prctl.h``."""


def start_child(
    command: Sequence[str],
    log: IO[bytes],
    *,
    environment: Mapping[str, str] = os.environ,
    keep: Sequence[int] = (),
    piped: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program that writes to ``log``; the descriptors in ``keep`` stay open in it.

    With ``piped``, its standard input and output are pipes to this process instead.
    On Linux it is terminated when the thread that calls this function ends, which should be the
    main one: the kernel goes by threads.
    """
    end_with_parent = None
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)  # loaded here: little is safe between fork and exec

        def end_with_parent() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
        stdout=subprocess.PIPE if piped else log,
        stderr=log,
        env=dict(environment),
        pass_fds=keep,
        preexec_fn=end_with_parent,
        **APART,  # Ctrl-C in the terminal is for the window, which goes first
    )
