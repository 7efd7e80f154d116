"""TCP keep-alive, so that no connection outlives a cut cable."""

from __future__ import annotations

from typing import Any, Final

import zmq

DEAD_AFTER: Final = 20
"""Seconds after which the kernel gives up a TCP connection whose other end answers nothing. The
heartbeat has given it up before; this frees its descriptor and what was queued for it."""


def keep_alive(socket: zmq.Socket[Any]) -> None:
    """Let no TCP connection outlive a cut cable or a host that has vanished."""
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, DEAD_AFTER // 2)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, DEAD_AFTER // 4)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 2)
    socket.setsockopt(zmq.TCP_MAXRT, DEAD_AFTER * 1000)
