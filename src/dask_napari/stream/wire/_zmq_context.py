"""ZeroMQ contexts, opened only where the process has room for their threads."""

from __future__ import annotations

from typing import Final

import zmq
from zmq.utils import garbage

from dask_napari.system import process_limits

CONTEXT_THREADS: Final = 2
"""A context starts one for input and output, and one that closes sockets."""

ZERO_COPY_THREADS: Final = 3
"""pyzmq starts one that lets go of buffers that are sent, with a context of its own."""


def open_context(*, zero_copy: bool = False) -> zmq.Context[zmq.Socket[bytes]]:
    """Return a context, whose sockets may send without a copy.

    Raises ResourceShortage where its threads could not be started: ZeroMQ would abort the process.
    """
    if zero_copy and not garbage.gc.is_alive():
        process_limits.require(threads=CONTEXT_THREADS + ZERO_COPY_THREADS)
        # Now, not in the middle of the first message that is sent without a copy.
        garbage.gc.refs.pop(garbage.gc.store(None), None)
    else:
        process_limits.require(threads=CONTEXT_THREADS)
    return zmq.Context()
