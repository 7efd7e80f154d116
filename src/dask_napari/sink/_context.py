"""What all parts of a sink share: the worker, the taps, and the way to the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dask_napari.sink import dask_internals
from dask_napari.sink._once_log import OnceLog
from dask_napari.sink._outputs import reason_of
from dask_napari.stream.send import Publisher
from dask_napari.tap import Tap, TapSet

if TYPE_CHECKING:
    from distributed import Worker
    from distributed.worker_state_machine import TaskState


class SinkContext:
    """Taps that select and a publisher that sends; errors are counted, told and logged once.

    Parameters
    ----------
    worker : distributed.Worker
        Worker whose outputs are streamed.
    publisher : Publisher
        Sender of the outputs.
    taps : TapSet
        Active taps.
    log : OnceLog
        The sink's.

    Attributes
    ----------
    taps : TapSet
        Active taps; they change.
    """

    def __init__(self, worker: Worker, publisher: Publisher, taps: TapSet, log: OnceLog) -> None:
        self.worker = worker
        self.publisher = publisher
        self.taps = taps
        self.log = log

    def select(
        self,
        taps: TapSet,
        task: TaskState,
        on_error: Callable[[Tap, BaseException], None] | None = None,
    ) -> list[Tap]:
        """Return the taps that choose the output of a task.

        Parameters
        ----------
        taps : TapSet
            Taps to choose from.
        task : TaskState
            The task, in memory.
        on_error : callable, optional
            Told of predicates that raise; without it they are counted.
        """
        # Only its type is asked for; to look the output up may take it back from the disk.
        stand_in = dask_internals.type_stand_in(task) if taps.needs_value else None
        return taps.select(
            task.key, task.prefix, stand_in, on_error or self.select_failed(task.key)
        )

    def select_failed(self, key: object) -> Callable[[Tap, BaseException], None]:
        """Return what counts a predicate that raises as an output that it may have wanted."""
        return lambda tap, error: self.refuse(tap, key, error, "select failed")

    def pause(self) -> None:
        """Hold no values while Dask pauses the worker."""
        self.publisher.pause(dask_internals.is_paused(self.worker))

    def refuse(self, tap: Tap, key: object, error: BaseException, reason: str = "") -> None:
        """Count an output that a tap may have wanted and that cannot be queued.

        Parameters
        ----------
        tap : Tap
            The tap.
        key : object
            The task's key.
        error : BaseException
            What happened.
        reason : str, optional
            The short cause; the error says it if not given.
        """
        reason = reason or reason_of(error)
        self.publisher.refuse(str(tap.layer), reason, key, error)
        self.log.warn(reason, key, error)

    def report(self, layer: str, reason: str, key: object, error: BaseException) -> None:
        """Tell the viewer, and log a cause once; a :data:`~dask_napari.sink._outputs.Report`."""
        self.publisher.troubles.note(layer, reason, key, error)
        self.log.warn(reason, key, error)

    def failed(self, key: object, error: BaseException) -> None:
        """Report an error of which it is not known which taps it concerns."""
        self.report("", reason_of(error), key, error)
