"""Outputs on their way to being items: what a tap selected, and what a task showed by itself."""

from __future__ import annotations

import copy as copying
import logging
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from dask_napari.coerce import coerce_all
from dask_napari.model import Item, Policy, Position, Provenance, Refusal, Reports
from dask_napari.placement import Placement
from dask_napari.stream.send import Dropped
from dask_napari.tap import Tap

_NOTES = Reports(logging.getLogger(__name__))

Report = Callable[[str, str, object, BaseException], None]
"""Called with layer, reason, key and error of an output that is not shown; logs a cause once."""


class Output:
    """What is common to outputs; an :class:`~dask_napari.stream.Entry` of the outbox.

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

    __slots__ = ("_placement", "key", "layer", "nbytes", "policy", "report", "tap")

    def __init__(self, tap: Tap, key: object, nbytes: int, report: Report) -> None:
        assert tap.layer is not None
        self.tap = tap
        self.layer: str = tap.layer
        self.policy: Policy = tap.policy
        self.key = key
        self.nbytes = nbytes
        self.report = report
        self._placement: Placement | None = None

    def find(self) -> Placement:
        """Find where the output belongs. Raises :class:`Dropped` and any error."""
        raise NotImplementedError

    def placement(self) -> Placement:
        """Where the output belongs, found once. Raises :class:`Dropped`."""
        if self._placement is None:
            try:
                self._placement = self.find()
            except Dropped:
                raise
            except BaseException as error:  # SystemExit, too: it would end the thread
                raise self.dropped(error) from error
        return self._placement

    def value(self) -> object:
        """The output. Raises :class:`Dropped`."""
        raise NotImplementedError

    def provenance(self) -> Provenance:
        """The task that made it."""
        raise NotImplementedError

    def forget(self) -> bool:
        """Let go of the value; false if it could not be found again."""
        return False

    def place(self) -> Hashable:
        """Identity of the place that it will fill."""
        return self.layer, self.placement().identity(self.key)

    def items(self) -> Sequence[Item | Dropped]:
        """Make the item, or one a part of the output. Raises :class:`Dropped`."""
        where, made = self.placement(), self.provenance()
        found: list[Item | Dropped] = []
        try:
            for value, position in where.parts(self.value()):
                for part in self._coerce(value, position, made):
                    if isinstance(part, Item):
                        where.settle(part)
                    found.append(part if isinstance(part, Item) else self.dropped(part))
        except Dropped:
            raise
        except BaseException as error:
            raise self.dropped(error) from error
        return found

    def _coerce(
        self, value: object, position: Position, made: Provenance
    ) -> Sequence[Item | Refusal]:
        tap = self.tap
        return coerce_all(
            value,
            kind=tap.kind,
            layer=self.layer,
            position=position,
            provenance=made,
            calibration=tap.calibration,
            rgb=tap.rgb,
            on_note=_NOTES.note,
        )

    def dropped(self, error: BaseException) -> Dropped:
        """Report an error; return what the outbox counts."""
        reason = reason_of(error)
        self.report(self.layer, reason, self.key, error)
        return Dropped(reason)


class Shown(Output):
    """A value that a task showed by itself, already copied; it cannot be found again.

    Parameters
    ----------
    tap : Tap
        As what kind, onto which layer.
    value : object
        The copy; see :func:`kept`.
    where : Placement or callable
        Where it belongs, or what finds that out.
    made : Provenance
        The task that showed it.
    report : callable
        See :data:`Report`.
    """

    __slots__ = ("_made", "_value", "_where")

    def __init__(
        self,
        tap: Tap,
        value: object,
        where: Placement | Callable[[], Placement],
        made: Provenance,
        report: Report,
    ) -> None:
        super().__init__(tap, made.key, nbytes_of(value), report)
        self._value = value
        self._where = where
        self._made = made

    def find(self) -> Placement:
        """Find where it belongs, as was said."""
        return self._where() if callable(self._where) else self._where

    def value(self) -> object:
        """The copy."""
        return self._value

    def provenance(self) -> Provenance:
        """The task that showed it."""
        return self._made


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


def nbytes_of(value: object, otherwise: int = 0) -> int:
    """Bytes that the stream will copy of a value.

    Figures such as Dask's and ``nbytes`` are wrong for views and broadcasts.

    Parameters
    ----------
    value : object
        What will be shown.
    otherwise : int
        For what is no array.

    Examples
    --------
    >>> nbytes_of(np.broadcast_to(np.uint16(1), (100, 100)))
    20000
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and isinstance(dtype, np.dtype):
        count = 1
        for length in shape:
            count *= length
        return count * dtype.itemsize
    return otherwise


def kept(value: Any) -> Any:
    """Return a value that later writes do not change: itself if it cannot be written, or a copy.

    Parameters
    ----------
    value : object
        What a task has in hands.

    Examples
    --------
    >>> array = np.zeros(3)
    >>> kept(array) is array
    False
    >>> array.flags.writeable = False
    >>> kept(array) is array
    True
    """
    if type(value) is np.ndarray:
        return value if _constant(value) else value.copy()
    return copying.deepcopy(value)


def _constant(array: Any) -> bool:
    """Whether nobody can write to the memory of an array; a read-only view proves nothing."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None or isinstance(array, bytes)
