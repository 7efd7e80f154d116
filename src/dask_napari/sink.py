"""The sink: a worker plugin that copies tapped task outputs to the viewer.

The only module that touches the internals of ``distributed``. What it relies on:

- ``WorkerPlugin.transition`` is called on the event loop after a state change;
- ``worker.state.tasks[key]``: ``prefix``, ``run_spec`` (a :class:`dask._task_spec.Task`),
  ``run_id``, ``startstops``, ``nbytes``, ``state``;
- ``worker.data``: a mapping, with ``fast`` and ``slow`` where it can spill (zict mappings, which
  may be read from another thread);
- ``worker.security.require_encryption``;
- ``scheduler.task_prefixes[name].states``.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import uuid
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from distributed import WorkerPlugin
from distributed.core import Status

from dask_napari import config
from dask_napari.item import CoercionError, coerce_all
from dask_napari.stream import nearby
from dask_napari.stream.connection import Transport, check_transport
from dask_napari.stream.item import Item, Position, Provenance
from dask_napari.stream.messages import Count
from dask_napari.stream.outbox import Dropped, Policy
from dask_napari.stream.publisher import Publisher
from dask_napari.stream.security import Security, check_encrypted
from dask_napari.tap import PlacementError, Tap, Taps
from dask_napari.xarrays import position_of

if TYPE_CHECKING:
    from distributed import Scheduler, Worker

logger = logging.getLogger(__name__)

SINK_NAME: Final = "dask-napari"
"""Name of the plugin, for ``client.unregister_worker_plugin``."""

TAPS_NAME: Final = "dask-napari-taps"
"""Name of the plugin that carries the taps."""

RAN: Final = frozenset({"executing", "long-running"})
"""States from which a task reaches memory because it ran here; others are copies of outputs."""

CLOSE_TIMEOUT: Final = 1.5
"""Seconds for the tail of the stream when a worker ends; a nanny gives it some 2 in all."""

SCAN_STEP: Final = 500
"""Tasks looked at in one go when outputs that are there already are searched; some 1 ms."""


class Selection:
    """A tapped output on its way to being an item; an :class:`~dask_napari.stream.Entry`.

    Made on the event loop, where it must cost next to nothing; placed and coerced on the
    publisher's thread.
    """

    __slots__ = (
        "_position",
        "_report",
        "_value",
        "_worker",
        "key",
        "layer",
        "nbytes",
        "policy",
        "prefix",
        "run_id",
        "spec",
        "start",
        "stop",
        "tap",
    )

    def __init__(
        self,
        tap: Tap,
        task: Any,
        value: object,
        worker: Worker,
        report: Callable[[str, object, BaseException], None],
    ) -> None:
        assert tap.layer is not None
        self.tap = tap
        self.layer: str = tap.layer
        self.policy: Policy = tap.policy
        self.key = task.key
        self.prefix: str = task.prefix
        self.spec = task.run_spec
        self.run_id: int = task.run_id
        ran: dict[str, Any] = next(
            (done for done in reversed(task.startstops) if done["action"] == "compute"), {}
        )
        self.start: float = ran.get("start", 0.0)
        self.stop: float = ran.get("stop", 0.0)
        self.nbytes = 0 if value is None else _nbytes(value, task)
        self._value = value
        self._worker = worker
        self._report = report
        self._position: Position | None = None

    def place(self) -> Hashable:
        """Identity of the place that it will fill."""
        position = self.position()
        return self.layer, frozenset(position.items()) if position else str(self.key)

    def position(self) -> Position:
        """Where the output belongs, found once. Raises :class:`Dropped`."""
        if self._position is None:
            args = getattr(self.spec, "args", ())
            kwargs = getattr(self.spec, "kwargs", {})
            try:
                at = self.tap.at
                # A pattern needs no value; reading one back only to place it would be a waste.
                value = None if isinstance(at, str) else self.value()
                position = self.tap.place(self.key, value, args, kwargs, self.prefix)
                self._position = position or position_of(value)
            except PlacementError as error:
                self._report(error.reason, self.key, error)
                raise Dropped(error.reason) from error
            except Exception as error:
                reason = f"error: {type(error).__name__}"
                if not isinstance(error, Dropped):
                    self._report(reason, self.key, error)
                    raise Dropped(reason) from error
                raise
            self.spec = None  # the arguments have served
        return self._position

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

    def items(self) -> Sequence[Item | Dropped]:
        """Make the item, or one a part of the output. Raises :class:`Dropped`."""
        position = self.position()
        tap = self.tap
        provenance = Provenance(
            str(self.key), self._worker.address, self.run_id, self.start, self.stop
        )
        try:
            parts = coerce_all(
                self.value(),
                kind=tap.kind,
                layer=self.layer,
                position=position,
                provenance=provenance,
                calibration=tap.calibration,
                rgb=tap.rgb,
            )
        except Dropped:
            raise
        except Exception as error:
            raise self._dropped(error) from error
        return [self._dropped(part) if isinstance(part, Exception) else part for part in parts]

    def _dropped(self, error: Exception) -> Dropped:
        reason = f"error: {type(error).__name__}"
        if isinstance(error, CoercionError):
            reason = error.reason
        self._report(reason, self.key, error)
        return Dropped(reason)

    def forget(self) -> bool:
        """Let go of the value: it can be read back as long as Dask keeps it."""
        if self.tap.copy == "eager" and self._value is not None:
            return False  # what is in `worker.data` may have changed since
        self._value = None
        self.nbytes = 0
        return True


def _nbytes(value: object, task: Any) -> int:
    """Bytes that the stream will copy; Dask's own figure is wrong for views and broadcasts."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and isinstance(dtype, np.dtype):
        count = 1
        for length in shape:
            count *= length
        return count * dtype.itemsize
    return task.nbytes or 0


class NapariSink(WorkerPlugin):
    """Stream tapped task outputs from a worker to a viewer.

    Register it with :meth:`distributed.Client.register_plugin`; it is then on every worker,
    present and future. :func:`dask_napari.watch` does that and more.

    Parameters
    ----------
    addresses : str or sequence of str, optional
        Where the viewer listens, ``tcp://host:port``; the configuration's ``address`` if not
        given.
    taps : iterable of Tap or mapping of str to Tap
        What to stream; a mapping names each tap, so that later changes can tell them apart.
    transport : {"auto", "shared-memory", "inline"}, optional
        The configuration's ``transport`` if not given.
    security : Security, optional
        The viewer's keys and token; they travel over Dask's own channel.

    Raises
    ------
    ValueError
        If there is no address, or taps contradict each other.

    Examples
    --------
    >>> sink = NapariSink("tcp://127.0.0.1:5577", taps=[Tap("segment", kind="labels")])
    >>> client.register_plugin(sink)  # doctest: +SKIP
    """

    name = SINK_NAME

    def __init__(
        self,
        addresses: str | Sequence[str] | None = None,
        taps: Iterable[Tap] | Mapping[str, Tap] = (),
        *,
        transport: Transport | None = None,
        security: Security | None = None,
    ) -> None:
        addresses = addresses or config.get("address")
        if not addresses:
            raise ValueError(
                "no address of a viewer; pass NapariSink('tcp://host:port') or set "
                "dask-napari.address in the Dask configuration"
            )
        self.addresses = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        self.transport: Transport = transport or config.get("transport")
        check_transport(self.transport)
        self.security = security
        self._named = taps if isinstance(taps, Mapping) else {uuid.uuid4().hex: t for t in taps}
        self._taps = Taps(self._named.values())
        self._worker: Worker | None = None
        self._publisher: Publisher | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._logged: set[tuple[str, str]] = set()
        self._scans: set[asyncio.Task[None]] = set()

    def __getstate__(self) -> dict[str, Any]:
        # Only what the constructor was given travels.
        names = ("addresses", "transport", "security", "_named", "_taps")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._worker = self._publisher = self._loop = None
        self._logged = set()
        self._scans = set()

    # -- WorkerPlugin ----------------------------------------------------------------------

    def setup(self, worker: Worker) -> None:
        """Start streaming. Called by Dask; an error here is logged and leaves the worker be.

        Raises
        ------
        ValueError
            If Dask requires encryption and the stream would have none.
        """
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        required = bool(worker.security.require_encryption)
        if required and not any(map(nearby.find, self.addresses)):
            check_encrypted(self.addresses, self.security)
        self._publisher = Publisher(
            self.addresses,
            name=f"{worker.address}#{uuid.uuid4().hex[:8]}",
            security=self.security,
            transport=self.transport,
            arena_bytes=config.get_bytes("arena"),
            queue_bytes=config.get_bytes("queue"),
            encrypt=required,
            on_want=self._on_want,
        )
        self._publisher.declare(tap.spec() for tap in self._taps)
        self._publisher.start()
        if len(self._taps):
            self._scan(self._taps)

    def teardown(self, worker: Worker) -> Awaitable[None] | None:
        """Send the tail and stop. Called by Dask."""
        publisher, self._publisher = self._publisher, None
        for scan in self._scans:
            scan.cancel()
        if publisher is None:
            return None
        # In a thread: the event loop has other things to close meanwhile.
        return asyncio.to_thread(publisher.close, CLOSE_TIMEOUT)

    def transition(self, key: Any, start: str, finish: str, **kwargs: object) -> None:
        """Select the output of a task that has just ended. Called by Dask, on the event loop."""
        if finish != "memory" or start not in RAN:
            return
        try:
            self._select(key)
        except (Exception, SystemExit) as error:
            # SystemExit too: Dask would take one from a user's predicate as the end of the
            # worker. The task has succeeded and stays so.
            self._report("error: " + type(error).__name__, key, error)

    # -- taps ------------------------------------------------------------------------------

    def set_taps(self, named: Mapping[str, Tap]) -> None:
        """Replace the taps; outputs of new ones that are in memory already are streamed too."""
        fresh = [tap for name, tap in named.items() if name not in self._named]
        self._named = dict(named)
        self._taps = Taps(self._named.values())
        if self._publisher is not None:
            self._publisher.declare(tap.spec() for tap in fresh)
            self._scan(Taps(fresh))

    def counts(self) -> dict[str, Any]:
        """The worker's side of the ledger and the state of its connection."""
        publisher = self._publisher
        if publisher is None:
            state = {"name": "", "state": "closed", "transport": "", "counts": []}
            return {**state, "addresses": list(self.addresses)}
        counts = [_plain(count) for count in publisher.counts()]
        return {
            "name": publisher.name,
            "state": publisher.state,
            "transport": publisher.transport,
            "counts": counts,
            "addresses": list(self.addresses),
        }

    # -- selection -------------------------------------------------------------------------

    def _select(self, key: Any) -> None:
        worker, publisher, taps = self._worker, self._publisher, self._taps
        if worker is None or publisher is None or not len(taps):
            return
        task = worker.state.tasks[key]
        value = worker.data.get(key) if taps.needs_value else None
        chosen = taps.select(key, task.prefix, value)
        if not chosen:
            return
        publisher.pause(worker.status == Status.paused)
        value = worker.data[key]
        for tap in chosen:
            kept = _copied(value) if tap.copy == "eager" else value
            publisher.put(Selection(tap, task, kept, worker, self._report))

    def _on_want(self) -> None:
        # From the publisher's thread.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._scan, self._taps)

    def _scan(self, taps: Taps) -> None:
        # Listed now, so that what ends from here on is selected by `transition` and only there.
        assert self._worker is not None
        tasks = self._worker.state.tasks
        keys = [key for key, task in tasks.items() if task.state == "memory"]
        scan = asyncio.ensure_future(self._select_in_memory(taps, keys))
        self._scans.add(scan)
        scan.add_done_callback(self._scans.discard)

    async def _select_in_memory(self, taps: Taps, keys: list[Any]) -> None:
        """Select outputs that this worker computed and still has, by key alone."""
        worker = self._worker
        assert worker is not None
        for number, key in enumerate(keys):
            if number % SCAN_STEP == 0:
                await asyncio.sleep(0)
            publisher = self._publisher
            if publisher is None:
                return
            task = worker.state.tasks.get(key)
            if task is None or task.state != "memory" or not _ran_here(task):
                continue
            try:
                value = worker.data.get(key) if taps.needs_value else None
                for tap in taps.select(key, task.prefix, value):
                    publisher.put(Selection(tap, task, None, worker, self._report))
            except (Exception, SystemExit) as error:
                self._report("error: " + type(error).__name__, key, error)

    def _report(self, reason: str, key: object, error: BaseException) -> None:
        """Log a cause once."""
        cause = reason, type(error).__name__
        if cause not in self._logged:
            self._logged.add(cause)
            logger.warning(
                "output of task %r is not shown (%s): %s; the task itself succeeded, and further "
                "outputs with this cause are only counted",
                key,
                reason,
                error,
            )


def _copied(value: object) -> object:
    return value.copy() if isinstance(value, np.ndarray) else copy.deepcopy(value)


def _ran_here(task: Any) -> bool:
    # Copies fetched from other workers are in memory too, and those workers show them.
    return task.run_spec is not None and any(
        done.get("action") == "compute" for done in task.startstops
    )


def _plain(count: Count) -> dict[str, Any]:
    return {
        "layer": count.layer,
        "selected": count.selected,
        "sent": count.sent,
        "coalesced": count.coalesced,
        "dropped": dict(count.dropped),
        "queued": count.queued,
    }


class TapsUpdate(WorkerPlugin):
    """Carry the taps to the sinks; registered again at each change.

    A plugin of its own because registering the sink again would restart its stream. It reaches
    workers that come later too.

    Parameters
    ----------
    taps : mapping of str to Tap
        All taps in force, by name.
    """

    name = TAPS_NAME

    def __init__(self, taps: Mapping[str, Tap]) -> None:
        self.taps = dict(taps)

    def setup(self, worker: Worker) -> None:
        """Hand the taps over. Called by Dask."""
        sink = worker.plugins.get(SINK_NAME)
        if isinstance(sink, NapariSink):
            sink.set_taps(self.taps)


def worker_counts(dask_worker: Worker) -> dict[str, Any]:
    """Counts of the sink of a worker, for ``client.run``; empty without one."""
    sink = dask_worker.plugins.get(SINK_NAME)
    return sink.counts() if isinstance(sink, NapariSink) else {}


def known_tasks(names: Sequence[str], dask_scheduler: Scheduler) -> dict[str, int]:
    """Tasks that the scheduler knows by name, done ones included, for ``run_on_scheduler``."""
    prefixes = dask_scheduler.task_prefixes
    return {name: sum(prefixes[name].states.values()) for name in names if name in prefixes}
