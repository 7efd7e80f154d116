"""The sink's log: each cause is told once, however often it comes."""

from __future__ import annotations

import logging

from dask_napari.model import Once

logger = logging.getLogger(__name__)


class OnceLog:
    """Log why outputs are not shown, once a cause.

    Examples
    --------
    >>> OnceLog().warn("no position", "frame-1f3a", ValueError("no such well"))
    """

    def __init__(self) -> None:
        self._first = Once()

    def warn(self, reason: str, key: object, error: BaseException) -> None:
        """Log an error unless its cause has been logged.

        Parameters
        ----------
        reason : str
            What the output is counted as; with the error's type, it is the cause.
        key : object
            The task's key.
        error : BaseException
            What happened.
        """
        if self._first((reason, type(error).__name__)):
            logger.warning(
                "output of task %r is not shown (%s): %s; the task itself succeeded, and further "
                "outputs with this cause are only counted",
                key,
                reason,
                error,
            )
