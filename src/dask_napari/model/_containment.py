"""Containment: errors that must not leave a thread, an event loop or a hook of Dask's.

With ``DASK_NAPARI_STRICT=1`` in the environment, errors of this package's own code are raised
instead of contained, so that tests see them. Errors of other people's code (predicates, functions
of taps, ``__array__`` of outputs) are contained all the same: they are input. So are refusals, and
SystemExit and the like, which only code of others raises.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from types import TracebackType
from typing import Final

from dask_napari.model._refusal import Refusal

logger = logging.getLogger(__name__)

STRICT_VARIABLE: Final = "DASK_NAPARI_STRICT"
"""Name of the environment variable; read at each error, since tests switch it."""


def is_strict() -> bool:
    """Return whether errors of this package are raised rather than contained."""
    return os.environ.get(STRICT_VARIABLE, "") not in ("", "0")


class contained:  # used like a function, as contextlib.suppress is
    """Hand an error to ``handle``, which counts and reports it, and go on behind the block.

    ``foreign`` blocks run other people's code; their errors are contained in strict mode too.

    >>> errors = []
    >>> with contained(errors.append, foreign=True):
    ...     int("seven")
    >>> errors
    [ValueError("invalid literal for int() with base 10: 'seven'")]
    """

    __slots__ = ("_foreign", "_handle")

    def __init__(self, handle: Callable[[BaseException], object], *, foreign: bool = False) -> None:
        self._handle = handle
        self._foreign = foreign

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None:
            return False
        self._handle(error)
        if self._foreign or not _is_raised(error):
            return True
        _log(error)
        return False


def contain(error: BaseException, *, foreign: bool = False) -> None:
    """Raise ``error`` again in strict mode; for ``except`` clauses that return a value.

    >>> contain(ValueError("a tap's function"), foreign=True)
    """
    if not foreign and _is_raised(error):
        _log(error)
        raise error


def _is_raised(error: BaseException) -> bool:
    return is_strict() and isinstance(error, Exception) and not isinstance(error, Refusal)


class foreign_code:
    """Run other people's code, whose errors become refusals: they are input, in strict mode too.

    >>> with foreign_code():
    ...     int("seven")
    Traceback (most recent call last):
    ...
    dask_napari.model._refusal.Refusal: ValueError: invalid literal for int() with base 10: 'seven'
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, Refusal):
            raise Refusal.of(error) from error


def _log(error: BaseException) -> None:
    # Where the error goes may be a thread or a process that nobody waits for.
    logger.error(
        "an error of this package, raised since %s is set", STRICT_VARIABLE, exc_info=error
    )
