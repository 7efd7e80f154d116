"""Outputs on their way to being items: those that taps selected, and values that tasks showed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from dask_napari.coerce import coerce_all, place_of
from dask_napari.model import Item, Policy, Position, Provenance, Refusal, Reports
from dask_napari.placement import Placement
from dask_napari.sink import dask_internals
from dask_napari.sink._snapshots import nbytes_of
from dask_napari.stream.send import Dropped
from dask_napari.tap import Tap

if TYPE_CHECKING:
    from distributed import Worker
    from distributed.worker_state_machine import TaskState

_NOTES = Reports(logging.getLogger(__name__))

Report = Callable[[str, str, object, BaseException], None]
"""Called with layer, reason, key and error of an output that is not shown; logs a cause once."""


class Output:
    """Output of a task before it is an item; an :class:`~dask_napari.stream.Entry` of the outbox.

    It is placed and coerced on the publisher's thread.

    Parameters
    ----------
    tap : Tap
        As what kind, onto which layer.
    key : object
        Key of the task.
    nbytes : int
        Bytes held for it.
    report : callable
        See :data:`Report`.
    """

    __slots__ = ("_placement", "_report", "key", "layer", "nbytes", "policy", "tap")

    def __init__(self, tap: Tap, key: object, nbytes: int, report: Report) -> None:
        assert tap.layer is not None
        self.tap = tap
        self.layer: str = tap.layer
        self.policy: Policy = tap.policy
        self.key = key
        self.nbytes = nbytes
        self._report = report
        self._placement: Placement | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r} for {self.layer!r}, {self.nbytes} B held>"

    def find_placement(self) -> Placement:
        """Find where the output belongs. Raises :class:`Dropped` and any error."""
        raise NotImplementedError

    def placement(self) -> Placement:
        """Return where the output belongs; found once. Raises :class:`Dropped`."""
        if self._placement is None:
            try:
                self._placement = self.find_placement()
            except Dropped:
                raise
            except BaseException as error:  # SystemExit, too: it would end the thread
                raise self.dropped(error) from error
        return self._placement

    def value(self) -> object:
        """Return the output itself. Raises :class:`Dropped`."""
        raise NotImplementedError

    def provenance(self) -> Provenance:
        """Return which task made the output."""
        raise NotImplementedError

    def forget(self) -> bool:
        """Let go of the value; return false if it could not be found again."""
        return False

    def place(self) -> Hashable:
        """Return the identity of the place that the output will fill."""
        return self.layer, self.placement().identity(self.key)

    def items(self) -> Sequence[Item | Dropped]:
        """Make the item, or one for each part of the output. Raises :class:`Dropped`."""
        placement, provenance = self.placement(), self.provenance()
        items: list[Item | Dropped] = []
        try:
            for value, position in placement.parts(self.value()):
                for part in self._coerce(value, position, provenance):
                    if isinstance(part, Item):
                        placement.settle(part)
                    items.append(part if isinstance(part, Item) else self.dropped(part))
        except Dropped:
            raise
        except BaseException as error:
            raise self.dropped(error) from error
        return items

    def _coerce(
        self, value: object, position: Position, provenance: Provenance
    ) -> Sequence[Item | Refusal]:
        return coerce_all(
            value,
            kind=self.tap.kind,
            layer=self.layer,
            position=position,
            provenance=provenance,
            calibration=self.tap.calibration,
            rgb=self.tap.rgb,
            on_note=_NOTES.note,
        )

    def dropped(self, error: BaseException) -> Dropped:
        """Report an error; return the refusal that the outbox counts."""
        reason = reason_of(error)
        self._report(self.layer, reason, self.key, error)
        return Dropped(reason)


class TaskOutput(Output):
    """Output that a tap selected; its value may be forgotten and read from the worker again.

    Made on the event loop, where it must cost next to nothing.

    Parameters
    ----------
    tap : Tap
        The tap that selected it.
    task : TaskState
        The task.
    value : object
        The output, or None to read it when it is needed.
    worker : distributed.Worker
        Worker that holds the output.
    report : callable
        See :data:`Report`.
    chunk : tuple, optional
        Key of the chunk that the output is; the task's if not given.
    """

    __slots__ = ("_chunk", "_task", "_value", "_worker")

    def __init__(
        self,
        tap: Tap,
        task: TaskState,
        value: object,
        worker: Worker,
        report: Report,
        chunk: object = None,
    ) -> None:
        self._task = dask_internals.computed_task(task)
        nbytes = 0 if value is None else nbytes_of(value, self._task.nbytes)
        super().__init__(tap, task.key, nbytes, report)
        self._chunk = task.key if chunk is None else chunk
        self._value = value
        self._worker = worker

    def find_placement(self) -> Placement:
        """Find where the output belongs: by its arguments, its key or its value."""
        # Reading a value back only to place it would be a waste where its name will do.
        value = self.value() if self.tap.places_by_value else None
        task = self._task
        placement = self.tap.placement(self._chunk, value, task.args, task.kwargs, task.name)
        if not placement.position and not placement.whole:
            placement = Placement(place_of(value))
        task.args, task.kwargs = (), {}  # they have served, and may hold a lot
        return placement

    def value(self) -> object:
        """Return the output, read again if it was forgotten. Raises :class:`Dropped`."""
        if self._value is not None:
            return self._value
        try:
            return dask_internals.read_output(self._worker, self.key)
        except KeyError:
            raise Dropped("released") from None

    def provenance(self) -> Provenance:
        """Return which task made the output."""
        task = self._task
        return Provenance(str(self.key), self._worker.address, task.run_id, task.start, task.stop)

    def forget(self) -> bool:
        """Let go of the value: it can be read again as long as Dask keeps it."""
        if self.tap.copy == "eager" and self._value is not None:
            return False  # the task may have written to what the worker holds since
        self._value = None
        self.nbytes = 0
        return True


class ShownValue(Output):
    """Value that a task showed by itself, as a snapshot; it cannot be found again.

    Parameters
    ----------
    tap : Tap
        As what kind, onto which layer.
    value : object
        The snapshot.
    where : Placement or callable
        Where it belongs, or what finds that out.
    provenance : Provenance
        The task that showed it.
    report : callable
        See :data:`Report`.
    """

    __slots__ = ("_provenance", "_value", "_where")

    def __init__(
        self,
        tap: Tap,
        value: object,
        where: Placement | Callable[[], Placement],
        provenance: Provenance,
        report: Report,
    ) -> None:
        super().__init__(tap, provenance.key, nbytes_of(value), report)
        self._value = value
        self._where = where
        self._provenance = provenance

    def find_placement(self) -> Placement:
        """Find where the value belongs, as the task said."""
        return self._where() if callable(self._where) else self._where

    def value(self) -> object:
        """Return the snapshot."""
        return self._value

    def provenance(self) -> Provenance:
        """Return which task showed the value."""
        return self._provenance


def reason_of(error: BaseException) -> str:
    """Return the short cause of an error, fit to be counted by.

    Parameters
    ----------
    error : BaseException
        Why an output is not shown.

    Examples
    --------
    >>> reason_of(Refusal("no position")), reason_of(KeyError("A13"))
    ('no position', 'error: KeyError')
    """
    if isinstance(error, Refusal):
        return error.reason
    return f"error: {type(error).__name__}"
