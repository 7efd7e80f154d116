"""A tapped output on its way to being an item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dask_napari.coerce import place_of
from dask_napari.model import Provenance
from dask_napari.placement import Placement
from dask_napari.sink._outputs import Output, Report, nbytes_of
from dask_napari.stream.send import Dropped
from dask_napari.tap import Tap

if TYPE_CHECKING:
    from distributed import Worker


class Selection(Output):
    """A tapped output on its way to being an item.

    Made on the event loop, where it must cost next to nothing; placed and coerced on the
    publisher's thread.
    """

    __slots__ = (
        "_value",
        "_worker",
        "chunk",
        "prefix",
        "run_id",
        "spec",
        "start",
        "stop",
    )

    def __init__(
        self,
        tap: Tap,
        task: Any,
        value: object,
        worker: Worker,
        report: Report,
        chunk: Any = None,
    ) -> None:
        nbytes = 0 if value is None else nbytes_of(value, task.nbytes or 0)
        super().__init__(tap, task.key, nbytes, report)
        self.chunk = task.key if chunk is None else chunk
        self.prefix: str = task.prefix
        self.spec = task.run_spec
        self.run_id: int = task.run_id
        ran: dict[str, Any] = next(
            (done for done in reversed(task.startstops) if done["action"] == "compute"), {}
        )
        self.start: float = ran.get("start", 0.0)
        self.stop: float = ran.get("stop", 0.0)
        self._value = value
        self._worker = worker

    def find(self) -> Placement:
        """Find where the output belongs."""
        args = getattr(self.spec, "args", ())
        kwargs = getattr(self.spec, "kwargs", {})
        # Reading a value back only to place it would be a waste where its name will do.
        value = self.value() if self.tap.places_by_value else None
        where = self.tap.placement(self.chunk, value, args, kwargs, self.prefix)
        if not where.position and not where.whole:
            where = Placement(place_of(value))
        self.spec = None  # the arguments have served
        return where

    def value(self) -> object:
        """The output, read back if it was forgotten. Raises :class:`Dropped`."""
        if self._value is not None:
            return self._value
        data = self._worker.data
        try:
            fast = getattr(data, "fast", None)
            if fast is None:
                return data[self.key]
            # `data[key]` would move a spilled output back into memory for good.
            return fast[self.key] if self.key in fast else data.slow[self.key]  # type: ignore[attr-defined]
        except KeyError:
            raise Dropped("released") from None

    def provenance(self) -> Provenance:
        """The task that made it."""
        return Provenance(str(self.key), self._worker.address, self.run_id, self.start, self.stop)

    def forget(self) -> bool:
        """Let go of the value: it can be read back as long as Dask keeps it."""
        if self.tap.copy == "eager" and self._value is not None:
            return False  # what is in `worker.data` may have changed since
        self._value = None
        self.nbytes = 0
        return True
