"""The sink: a worker plugin that copies tapped task outputs to the viewer.

The only module that touches the internals of ``distributed``. What it relies on:

- ``WorkerPlugin.transition`` is called on the event loop after a state change;
- ``worker.state.tasks[key]``: ``prefix``, ``run_spec`` (a :class:`dask._task_spec.Task`),
  ``run_id``, ``startstops``, ``nbytes``, ``state``;
- ``worker.data``: a mapping, with ``fast`` and ``slow`` where it can spill (zict mappings, which
  may be read from another thread);
- ``worker.security.require_encryption``;
- ``worker.scheduler.who_has(keys=)``: addresses of the workers that hold each output;
- ``worker.metrics``, called at each heartbeat; ``worker.monitor.get_process_memory()``, and
  ``worker.memory_manager`` with ``memory_limit`` and ``memory_{target,spill,pause}_fraction``;
- ``scheduler.task_prefixes[name].states``;
- ``dask._task_spec._execute_subgraph``, the function of fused tasks: its first arguments are the
  steps by key, and the last key;
- ``dask._task_spec.Alias``, the spec of a task that gives another's output a second name;
- in a task: ``get_worker()``, ``worker.active_threads`` (thread -> key), and the asyncio task of an
  asynchronous one, which is called ``execute(<key>)``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dask._task_spec import Alias
from distributed import Worker, WorkerPlugin, get_worker
from distributed.core import Status

from dask_napari import config
from dask_napari.item import place_of
from dask_napari.output import Output, Report, Shown, kept, nbytes_of
from dask_napari.placement import Placement
from dask_napari.stream import nearby
from dask_napari.stream.connection import Transport, check_transport
from dask_napari.stream.item import Provenance
from dask_napari.stream.messages import Count
from dask_napari.stream.outbox import Dropped
from dask_napari.stream.publisher import Publisher
from dask_napari.stream.security import Security, check_encrypted
from dask_napari.tap import Tap, Taps

if TYPE_CHECKING:
    from distributed import Scheduler

logger = logging.getLogger(__name__)

SINK_NAME: Final = "dask-napari"
"""Name of the plugin unless another is given, for ``client.unregister_worker_plugin``."""

RAN: Final = frozenset({"executing", "long-running"})
"""States from which a task reaches memory because it ran here; others are copies of outputs."""

CLOSE_TIMEOUT: Final = 1.5
"""Seconds for the tail of the stream when a worker ends; a nanny gives it some 2 in all."""

LOOK_INTERVAL: Final = 0.2
"""Seconds between looks at the worker's memory, which take some 20 us each; Dask's own are 0.1."""

QUEUE_SHARE: Final = 16
"""The part of a worker's memory limit that its queue may take: on a host with 200 workers the
setting's 128 MiB would be 25 GiB."""

RETRY: Final = 5.0
"""Seconds until a publisher is tried again for which there were no file descriptors."""

CAUSES_LIMIT: Final = 1000
"""Causes of errors that are told apart in the log; users' code may make any number of them."""

SCAN_STEP: Final = 500
"""Tasks looked at in one go when outputs that are there already are searched; some 1 ms."""


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


class NapariSink(WorkerPlugin):
    """Stream tapped task outputs from a worker to a viewer.

    Register it with :meth:`distributed.Client.register_plugin`; it is then on every worker,
    present and future. :func:`dask_napari.watch` does that and more. Sinks of different names
    stand side by side, each with a viewer of its own; one that is registered under the name of
    another replaces it, for instance to stream to another address.

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
    name : str
        Name of the plugin.

    Raises
    ------
    ValueError
        If there is no address or name, or taps contradict each other.

    Examples
    --------
    >>> sink = NapariSink("tcp://127.0.0.1:5577", taps=[Tap("segment", kind="labels")])
    >>> client.register_plugin(sink)  # doctest: +SKIP
    """

    def __init__(
        self,
        addresses: str | Sequence[str] | None = None,
        taps: Iterable[Tap] | Mapping[str, Tap] = (),
        *,
        transport: Transport | None = None,
        security: Security | None = None,
        name: str = SINK_NAME,
    ) -> None:
        if not name:
            raise ValueError("name is empty; leave it out or name the sink")
        self.name = name
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
        self._retry: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._logged: set[tuple[str, str]] = set()
        self._scans: set[asyncio.Task[None]] = set()

    def __getstate__(self) -> dict[str, Any]:
        # Only what the constructor was given travels.
        names = ("name", "addresses", "transport", "security", "_named", "_taps")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._worker = self._publisher = self._loop = self._retry = self._look = None
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
        if worker.security.require_encryption and not any(map(nearby.find, self.addresses)):
            check_encrypted(self.addresses, self.security)
        worker.metrics[SINK_NAME] = memory_of_sinks
        self._open(worker)
        self._look_at_memory(worker, _plenty(worker))

    def _open(self, worker: Worker) -> None:
        """Start the publisher, now or when there is room for it."""
        try:
            self._publisher = self._new_publisher(worker)
        except (OSError, RuntimeError) as error:  # no file descriptors, no thread
            self._log_once("not streaming yet", "", error)
            assert self._loop is not None
            self._retry = self._loop.call_later(RETRY, self._open, worker)
            return
        if len(self._taps):
            self._scan(self._taps)

    def _new_publisher(self, worker: Worker) -> Publisher:
        publisher = Publisher(
            self.addresses,
            name=f"{worker.address}#{uuid.uuid4().hex[:8]}",
            security=self.security,
            transport=self.transport,
            arena_bytes=config.get_bytes("arena"),
            queue_bytes=_queue_bytes(worker),
            encrypt=bool(worker.security.require_encryption),
            on_want=self._on_want,
        )
        publisher.declare(tap.spec() for tap in self._taps)
        publisher.start()
        return publisher

    def teardown(self, worker: Worker) -> Awaitable[None] | None:
        """Send the tail and stop. Called by Dask."""
        publisher, self._publisher = self._publisher, None
        for timer in (self._retry, self._look):
            if timer is not None:
                timer.cancel()
        if not any(sink is not self for sink in _sinks_of(worker)):
            worker.metrics.pop(SINK_NAME, None)
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
        except BaseException as error:
            # SystemExit too: Dask would take one as the end of the worker. The task has succeeded
            # and stays so.
            self._report("", "error: " + type(error).__name__, key, error)

    # -- memory ----------------------------------------------------------------------------

    def _look_at_memory(self, worker: Worker, plenty: float) -> None:
        """Hold less, or nothing, while the worker is short of memory; again and again."""
        assert self._loop is not None
        self._look = self._loop.call_later(LOOK_INTERVAL, self._look_at_memory, worker, plenty)
        if self._publisher is None:
            return
        try:
            self._publisher.pause(worker.status == Status.paused)
            self._publisher.squeeze(worker.monitor.get_process_memory() > plenty)
        except Exception as error:
            self._log_once("memory not seen", "", error)

    def memory(self) -> dict[str, int]:
        """Bytes that it holds of the worker's memory."""
        return self._publisher.memory() if self._publisher is not None else {}

    # -- from inside a task ----------------------------------------------------------------

    def show(
        self,
        value: object,
        tap: Tap,
        where: Placement | Callable[[], Placement] | None = None,
        keep: Callable[[], object] | None = None,
    ) -> bool:
        """Stream a value that a task has in hands. Any thread; never raises, never waits.

        Parameters
        ----------
        value : object
            What to show; copied here unless nobody can write to it.
        tap : Tap
            As what kind, onto which layer; what it selects does not matter.
        where : Placement or callable, optional
            Where it belongs; without one, its own coordinates say it, or the order of arrival.
        keep : callable, optional
            Makes the copy, for callers who share it among sinks.

        Returns
        -------
        bool
            Whether it will be shown, as far as is known; if not, it is counted as dropped.
        """
        worker, publisher = self._worker, self._publisher
        if worker is None or publisher is None:
            return False
        key: object = ""
        try:
            assert tap.layer is not None
            key, made = _running(worker)
            self._declare(publisher, tap)
            publisher.pause(worker.status == Status.paused)
            refused = publisher.refuses(nbytes_of(value), tap.policy)
            if refused:  # before the copy, which would have been for nothing
                publisher.outbox.refuse(tap.layer, refused)
                return False
            held = keep() if keep is not None else kept(value)
            if where is None:
                where = Placement(place_of(held))
            publisher.put(Shown(tap, held, where, made, self._report))
        except BaseException as error:
            self._refuse(tap, "error: " + type(error).__name__, key, error)
            return False
        return True

    def show_chunk(
        self, source: str, numbers: tuple[int, ...], block: object, keep: Callable[[], object]
    ) -> None:
        """Stream a chunk of a watched array from inside the task that passes it on.

        Parameters
        ----------
        source : str
            Name of the array that is watched.
        numbers : tuple of int
            Number of the chunk along each axis.
        block : object
            The chunk.
        keep : callable
            Makes the copy, which sinks share.
        """
        worker = self._worker
        watching = self._taps.watching(source)
        if worker is None or not watching:
            return
        running, _ = _running(worker)
        task = worker.state.tasks.get(running)
        for tap in watching:
            assert tap.chunks is not None
            key = tap.chunks.name, *numbers
            # A task of the chunk's own name ends in `transition`, which needs no copy; others,
            # into which Dask has fused this one, do not come by there with the chunk.
            if running == key or key not in tap.chunks or self._comes_by_itself(tap, key, task):
                continue
            self.show(block, tap, functools.partial(tap.placement, key, block), keep)

    def _comes_by_itself(self, tap: Tap, key: tuple[Any, ...], task: Any) -> bool:
        """Whether a tap on the array that a watched one passes on streams the chunk already."""
        assert tap.chunks is not None
        source = tap.chunks.source
        if not source or task is None or not self._taps.taps_array(source, tap.layer):
            return False
        return any(other.key == (source, *key[1:]) for other in task.dependencies)

    def _declare(self, publisher: Publisher, tap: Tap) -> None:
        # A tap in force has said what its layer is; a value that is shown must not overrule it.
        if tap.layer not in publisher.layers:
            publisher.declare([tap.spec()])

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
        failed = self._on_select_error(key)
        chosen = taps.select(key, task.prefix, value, failed)
        chunk = None
        if not chosen and taps.of_one_chunk:
            chunk = _chunk_within(task.run_spec)
            chosen = taps.select(chunk, "", None, failed) if chunk is not None else []
        if not chosen:
            return
        publisher.pause(worker.status == Status.paused)
        for tap in chosen:
            if tap.chunks is not None and tap.chunks.source and self._passed_on(tap, key, task):
                continue
            try:
                value = worker.data[key]
                held = kept(value) if tap.copy == "eager" else value
                selection = Selection(tap, task, held, worker, self._report, chunk)
            except BaseException as error:
                self._refuse(tap, "error: " + type(error).__name__, key, error)
            else:
                publisher.put(selection)

    def _passed_on(self, tap: Tap, key: Any, task: Any) -> bool:
        """Whether the chunk of a watched array has been streamed by another task."""
        # An alias stands for the task that made the chunk under another name, and showed it.
        return isinstance(task.run_spec, Alias) or self._comes_by_itself(tap, key, task)

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
        fetched: list[Any] = []
        for number, key in enumerate(keys):
            if number % SCAN_STEP == 0:
                await asyncio.sleep(0)
            publisher = self._publisher
            if publisher is None:
                return
            task = worker.state.tasks.get(key)
            if task is None or task.state != "memory":
                continue
            if _ran_here(task):
                self._put_found(taps, task)
            elif self._wanted(taps, task):
                fetched.append(key)
        if not fetched:
            return
        # Dask may have moved an output here: it keeps one copy of what was fetched, and that need
        # not be the one where the task ran.
        try:
            holders = await worker.scheduler.who_has(keys=fetched)
        except Exception as error:
            logger.debug("the scheduler does not say where outputs are: %r", error)
            return
        for key in fetched:
            task = worker.state.tasks.get(key)
            if task is not None and list(holders.get(key) or ()) == [worker.address]:
                self._put_found(taps, task)

    def _wanted(self, taps: Taps, task: Any) -> bool:
        assert self._worker is not None
        value = self._worker.data.get(task.key) if taps.needs_value else None
        return bool(taps.select(task.key, task.prefix, value, lambda tap, error: None))

    def _put_found(self, taps: Taps, task: Any) -> None:
        """Select an output that is in memory."""
        worker, publisher, key = self._worker, self._publisher, task.key
        if worker is None or publisher is None:
            return
        try:
            value = worker.data.get(key) if taps.needs_value else None
            for tap in taps.select(key, task.prefix, value, self._on_select_error(key)):
                if self._found_before(tap, task):
                    continue
                publisher.put(Selection(tap, task, None, worker, self._report))
        except BaseException as error:
            self._report("", "error: " + type(error).__name__, key, error)

    def _found_before(self, tap: Tap, task: Any) -> bool:
        """Whether a watched chunk is in memory as a chunk of its source, which is tapped too."""
        chunks = tap.chunks
        if (
            chunks is None
            or not chunks.source
            or not self._taps.taps_array(chunks.source, tap.layer)
        ):
            return False
        source = (chunks.source, *task.key[1:])
        return any(d.key == source and d.state == "memory" for d in task.dependencies)

    def _on_select_error(self, key: Any) -> Callable[[Tap, BaseException], None]:
        return lambda tap, error: self._refuse(tap, "select failed", key, error)

    def _refuse(self, tap: Tap, reason: str, key: object, error: BaseException) -> None:
        """Count an output that a tap may have wanted and that cannot be queued."""
        if self._publisher is not None:
            self._publisher.refuse(str(tap.layer), reason, key, error)
        self._log_once(reason, key, error)

    def _report(self, layer: str, reason: str, key: object, error: BaseException) -> None:
        """Tell the viewer, and log a cause once."""
        if self._publisher is not None:
            self._publisher.troubles.note(layer, reason, key, error)
        self._log_once(reason, key, error)

    def _log_once(self, reason: str, key: object, error: BaseException) -> None:
        cause = reason, type(error).__name__
        if cause not in self._logged and len(self._logged) < CAUSES_LIMIT:
            self._logged.add(cause)
            logger.warning(
                "output of task %r is not shown (%s): %s; the task itself succeeded, and further "
                "outputs with this cause are only counted",
                key,
                reason,
                error,
            )


def _queue_bytes(worker: Worker) -> int:
    """Bytes of outputs that may be held: the setting, within a share of the worker's limit."""
    limit = worker.memory_manager.memory_limit
    queue = config.get_bytes("queue")
    return min(queue, int(limit) // QUEUE_SHARE) if limit else queue


def _plenty(worker: Worker) -> float:
    """Bytes of the worker's process up to which Dask lets memory be."""
    manager = worker.memory_manager
    if not manager.memory_limit:
        return float("inf")
    fractions = (
        manager.memory_target_fraction,
        manager.memory_spill_fraction,
        manager.memory_pause_fraction,
    )
    return float(manager.memory_limit * min((f for f in fractions if f), default=1.0))


def _sinks_of(worker: Worker) -> list[NapariSink]:
    # A copy: the event loop may be adding one.
    return [plugin for plugin in list(worker.plugins.values()) if isinstance(plugin, NapariSink)]


def memory_of_sinks(worker: Worker) -> dict[str, int]:
    """Bytes that all sinks hold of a worker's memory; a metric of Dask's, sent at heartbeats."""
    total: dict[str, int] = {}
    for sink in _sinks_of(worker):
        for name, number in sink.memory().items():
            total[name] = total.get(name, 0) + number
    return total


def sinks_here() -> list[NapariSink]:
    """Sinks of the worker that runs the calling task; empty outside of one.

    A task may use threads of its own: in a worker's process with nothing else in it (one under
    a nanny) they count as the task.
    """
    try:
        worker = get_worker()
    except ValueError:
        alone = [other for other in list(Worker._instances) if other.nanny]
        if len(alone) != 1:
            return []
        (worker,) = alone
    return _sinks_of(worker)


def show_here(
    value: object, tap: Tap, where: Placement | Callable[[], Placement] | None = None
) -> bool:
    """Stream a value from inside a task to all viewers of its worker; see `NapariSink.show`.

    Parameters
    ----------
    value, tap, where
        See :meth:`NapariSink.show`.

    Returns
    -------
    bool
        Whether any viewer will show it; false outside of a worker and without a sink.
    """
    keep = functools.cache(lambda: kept(value))
    return any([sink.show(value, tap, where, keep) for sink in sinks_here()])


def show_chunk(source: str, numbers: tuple[int, ...], block: object) -> None:
    """Stream a chunk of a watched array to all viewers of the worker that runs the task.

    Parameters
    ----------
    source, numbers, block
        See :meth:`NapariSink.show_chunk`.
    """
    keep = functools.cache(lambda: kept(block))
    for sink in sinks_here():
        sink.show_chunk(source, numbers, block, keep)


def _running(worker: Worker) -> tuple[object, Provenance]:
    """Key and provenance of the task that calls; an empty key in a thread of its own."""
    key = worker.active_threads.get(threading.get_ident(), "")
    if key == "":
        with contextlib.suppress(RuntimeError):  # no event loop: a thread of its own
            running = asyncio.current_task()
            name = running.get_name() if running else ""
            key = next((k for k in list(worker.active_keys) if name == f"execute({k!r})"), "")
    task = worker.state.tasks.get(key)
    start = getattr(task, "start_time", None) or 0.0
    run_id = getattr(task, "run_id", 0)
    return key, Provenance(str(key), worker.address, run_id, start, time.time())


def _chunk_within(spec: Any) -> Any:
    """Key of the only chunk of an array that ``compute`` has fused with what returns it, or None.

    With several chunks the task that joins them has several dependencies and fuses with none.
    """
    if getattr(getattr(spec, "func", None), "__name__", "") != "_execute_subgraph":
        return None
    steps, last = spec.args[:2]
    if not isinstance(last, str) or not last.startswith("finalize-"):
        return None
    found = steps[last].dependencies
    return next(iter(found)) if len(found) == 1 else None


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
    """Carry the taps to the sinks of one name; registered again at each change.

    A plugin of its own because registering the sink again would restart its stream. It reaches
    workers that come later too.

    Parameters
    ----------
    taps : mapping of str to Tap
        All taps in force, by name.
    sink : str
        Name of the sink that they are for.

    Examples
    --------
    >>> TapsUpdate({"a": Tap("segment", kind="labels")}, "dask-napari-0f").name
    'dask-napari-0f-taps'
    """

    def __init__(self, taps: Mapping[str, Tap], sink: str = SINK_NAME) -> None:
        self.name = f"{sink}-taps"
        self.sink = sink
        self.taps = dict(taps)

    def setup(self, worker: Worker) -> None:
        """Hand the taps over. Called by Dask."""
        sink = worker.plugins.get(self.sink)
        if isinstance(sink, NapariSink):
            sink.set_taps(self.taps)


def worker_counts(sink: str = SINK_NAME, *, dask_worker: Worker) -> dict[str, Any]:
    """Counts of a worker's sink of that name, for ``client.run``; empty without one."""
    found = dask_worker.plugins.get(sink)
    return found.counts() if isinstance(found, NapariSink) else {}


def known_tasks(names: Sequence[str], dask_scheduler: Scheduler) -> dict[str, int]:
    """Tasks that the scheduler knows by name, done ones included, for ``run_on_scheduler``."""
    prefixes = dask_scheduler.task_prefixes
    return {name: sum(prefixes[name].states.values()) for name in names if name in prefixes}
