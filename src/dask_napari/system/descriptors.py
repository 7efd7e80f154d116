"""File descriptors: ZeroMQ ends the whole process where it gets none for its own threads."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from typing import Final

NEEDED: Final = 32
"""Descriptors that a context with one socket, its connection and an arena take, twice over."""

WANTED: Final = 65_536
"""Descriptors of a viewer; each worker takes two, and so does each stranger who connects."""


class TooFewDescriptors(OSError):
    """Error where no descriptors are left; the text says what to do."""


def require(number: int = NEEDED) -> None:
    """Make sure that so many descriptors can be had, or raise :class:`TooFewDescriptors`."""
    taken: list[int] = []
    try:
        first = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        taken.append(first)
        taken += (os.dup(first) for _ in range(number - 1))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        raise TooFewDescriptors(
            error.errno, f"no file descriptors are left of {limit}; raise the limit with ulimit -n"
        ) from error
    finally:
        for descriptor in taken:
            os.close(descriptor)


def raise_limit() -> None:
    """Allow this process as many descriptors as it may have, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
