"""Polling: waits that ask again and again, and tell the log what they wait for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Final

POLL_INTERVAL: Final = 0.05
"""Seconds between questions; each is one small message at most."""

TELL_INTERVAL: Final = 3.0
"""Seconds between lines of the log: often enough that nobody takes a wait for a hang."""


def poll(
    timeout: float | None, logger: logging.Logger, waits_for: Callable[[], str]
) -> Iterator[None]:
    """Yield at intervals until so many seconds have passed; at least once, None for ever.

    The log tells every few seconds what is waited for: as a warning if that has not changed since
    it was last told, so that a wait that goes nowhere is seen without any configuration.

    >>> len(list(poll(0.0, logging.getLogger(), lambda: "nothing")))
    1
    """
    began = told = time.monotonic()
    last = ""
    while True:
        yield
        now = time.monotonic()
        if timeout is not None and now - began >= timeout:
            return
        if now - told >= TELL_INTERVAL:
            told, text = now, waits_for()
            level = logging.WARNING if text == last else logging.INFO
            logger.log(level, "waiting for %.0f s: %s", now - began, text)
            last = text
        time.sleep(POLL_INTERVAL if timeout is None else min(POLL_INTERVAL, timeout))
