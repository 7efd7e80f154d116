"""Outputs on their way to being items: those that taps selected, and values that tasks showed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from dask_napari.coerce import coerce_all, part_of, place_of
from dask_napari.model import (
    MOST_BYTES,
    Held,
    Item,
    Policy,
    Position,
    Provenance,
    Refusal,
    contain,
    foreign_code,
    held_by,
    is_plain,
)
from dask_napari.placement import Placement
from dask_napari.sink import dask_internals
from dask_napari.sink._context import SinkContext
from dask_napari.sink._snapshots import held_output, is_small_view
from dask_napari.sink._task_arguments import (
    Arguments,
    are_plain,
    held_by_arguments,
    needed_arguments,
)
from dask_napari.tap import CompiledTap

if TYPE_CHECKING:
    from distributed.worker_state_machine import TaskState


NOTHING: Final = Held(0)


class ReleasedOutput(Refusal):
    """Refusal of an output that Dask has released, which is counted and not worth a report."""


class Output:
    """Output of a task before it is an item; an :class:`~dask_napari.stream.Entry` of the outbox.

    It is placed and coerced on the publisher's thread. The context is told of errors and notes.
    """

    __slots__ = ("_context", "_placement", "key", "layer", "nbytes", "owner", "policy", "tap")

    def __init__(self, context: SinkContext, tap: CompiledTap, key: object, held: Held) -> None:
        self.tap = tap
        self.layer = tap.layer
        self.policy: Policy = tap.policy
        self.key = key
        self.nbytes, self.owner = held
        self._context = context
        self._placement: Placement | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r} for {self.layer!r}, {self.nbytes} B held>"

    @property
    def foreign(self) -> bool:
        """True if place or items take code of others or a disk, which may hang."""
        return self.tap.calls or not is_plain(self.held_value())

    def held_value(self) -> object:
        """Return the value if it is held, else None."""
        raise NotImplementedError

    def find_placement(self) -> Placement:
        """Find where the output belongs. Raises :class:`Refusal` and any error."""
        raise NotImplementedError

    def placement(self) -> Placement:
        """Return where the output belongs; found once. Raises :class:`Refusal`."""
        if self._placement is None:
            try:
                self._placement = self.find_placement()
            except ReleasedOutput:
                raise
            except BaseException as error:  # SystemExit, too: it would end the thread
                raise self._refusal(error) from error
        return self._placement

    def value(self) -> object:
        """Return the output itself. Raises :class:`Refusal`."""
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

    def items(self) -> Sequence[Item | Refusal]:
        """Make the item, or one for each part of the output. Raises :class:`Refusal`."""
        placement, tap = self.placement(), self.tap
        items: list[Item | Refusal] = []
        try:
            for value, position in self._parts(placement):
                for part in coerce_all(
                    value,
                    kind=tap.kind,
                    layer=self.layer,
                    position=position,
                    provenance=self.provenance(),
                    calibration=tap.calibration,
                    rgb=tap.rgb,
                    columns=tap.columns,
                    on_note=self._context.reports.note,
                ):
                    if isinstance(part, Item):
                        placement.settle(part)
                        if tap.own_axes and (note := tap.note_on_axes(part.at)):
                            self._context.reports.note(self.layer, note)
                    items.append(part if isinstance(part, Item) else self._refusal(part))
        except ReleasedOutput:
            raise
        except BaseException as error:
            raise self._refusal(error) from error
        return items

    def _parts(self, placement: Placement) -> Iterator[tuple[object, Position]]:
        with foreign_code():  # of arrays, which slice themselves
            yield from placement.parts(part_of(self.value(), self.tap.value))

    def _refusal(self, error: BaseException) -> Refusal:
        """Report an error, and return it as it is counted."""
        refusal = Refusal(self._context.report(error, self.layer, self.key))
        contain(error)
        return refusal


class TaskOutput(Output):
    """Output that a tap selected; its value may be forgotten and read from the worker again.

    Made on the event loop, where it must cost next to nothing. Without a value it is read when it
    is needed; ``chunk`` is the key of the chunk that the output is, if that is not the task's.
    Until the output has its place, the arguments of its task are held as well, and counted.
    """

    __slots__ = ("_arguments", "_chunk", "_held", "_task", "_value")

    def __init__(
        self,
        context: SinkContext,
        tap: CompiledTap,
        task: TaskState,
        value: object,
        chunk: object = None,
    ) -> None:
        self._task = dask_internals.computed_task(task)
        self._held = NOTHING
        if value is not None:
            value, self._held = held_output(value, self._task.nbytes)
        self._arguments: Arguments | None  # None if they were forgotten
        self._arguments = needed_arguments(tap, dask_internals.arguments_of(task))
        held = self._held
        if nbytes := held_by_arguments(self._arguments):
            held = Held(min(held.nbytes + nbytes, MOST_BYTES))
        super().__init__(context, tap, task.key, held)
        self._chunk = task.key if chunk is None else chunk
        self._value = value

    def find_placement(self) -> Placement:
        """Find where the output belongs: by its arguments, its key or its value."""
        # Reading a value back only to place it would be a waste where its name will do.
        value = self.value() if self.tap.rule.by_value else None
        task = self._task
        args, kwargs = self._arguments or self._read_arguments()
        placement = self.tap.rule.placement(self._chunk, value, args, kwargs, task.name)
        if not placement.position and not placement.array_shape:
            with foreign_code():  # of outputs, which compute their coordinates
                placement = Placement(place_of(part_of(value, self.tap.value)))
        self._arguments = (), {}  # they have served, and may hold a lot
        self.nbytes, self.owner = self._held
        self._release_base()
        return placement

    def _read_arguments(self) -> Arguments:
        task = dask_internals.task_of(self._context.worker, self.key)
        if task is None:
            raise ReleasedOutput("released")
        return needed_arguments(self.tap, dask_internals.arguments_of(task))

    @property
    def foreign(self) -> bool:
        """True if place or items take code of others, such as of arguments, or a disk."""
        return super().foreign or not (self._arguments and are_plain(self._arguments))

    def held_value(self) -> object:
        """Return the value if it is held, else None."""
        return self._value

    def _release_base(self) -> None:
        value = self._value
        if is_small_view(value, self._held):
            self._value = value.copy()
            self._held = Held(value.nbytes)
            self.nbytes, self.owner = self._held

    def value(self) -> object:
        """Return the output, read again if it was forgotten. Raises :class:`Refusal`."""
        value = self._value
        if value is not None:
            return value
        with foreign_code():  # of outputs, which are unpickled from the disk
            try:
                return dask_internals.read_output(self._context.worker, self.key)
            except KeyError:
                raise ReleasedOutput("released") from None

    def provenance(self) -> Provenance:
        """Return which task made the output."""
        task, worker = self._task, self._context.worker.address
        return Provenance(str(self.key), worker, task.run_id, task.start, task.stop)

    def forget(self) -> bool:
        """Let go of value and arguments: they can be read again as long as Dask keeps them."""
        if self.tap.copy == "eager" and self._value is not None:
            return False  # the task may have written to what the worker holds since
        if self.nbytes > self._held.nbytes:  # light ones stay: a place needs no more
            self._arguments = None
        self._value, self._held = None, NOTHING
        self.nbytes = self.owner = 0
        return True


class ShownValue(Output):
    """Value that a task showed by itself, as a snapshot; it cannot be found again.

    ``where`` is where it belongs, or a function that finds that out; ``nbytes`` its size.
    """

    __slots__ = ("_provenance", "_value", "_where")

    def __init__(
        self,
        context: SinkContext,
        tap: CompiledTap,
        value: object,
        where: Placement | Callable[[], Placement],
        provenance: Provenance,
        nbytes: int,
    ) -> None:
        super().__init__(context, tap, provenance.key, held_by(value, nbytes))
        self._value = value
        self._where = where
        self._provenance = provenance

    def find_placement(self) -> Placement:
        """Find where the value belongs, as the task said."""
        return self._where() if callable(self._where) else self._where

    def held_value(self) -> object:
        """Return the snapshot."""
        return self._value

    def value(self) -> object:
        """Return the snapshot."""
        return self._value

    def provenance(self) -> Provenance:
        """Return which task showed the value."""
        return self._provenance
