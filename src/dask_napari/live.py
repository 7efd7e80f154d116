"""``watch`` a client's cluster: the viewer, the sinks and the handle that holds them together."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import threading
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dask_napari import config
from dask_napari.arrays import is_dataset, variables
from dask_napari.owner import Owner
from dask_napari.passing import options_of, tapped
from dask_napari.sink import SINK_NAME, NapariSink, TapsUpdate, known_tasks, worker_counts
from dask_napari.stream import janitor
from dask_napari.stream.connection import Transport, check_transport
from dask_napari.stream.control import Control, ViewerGone
from dask_napari.stream.ledger import Ledger, Tally
from dask_napari.stream.receiver import ANY_IPC
from dask_napari.stream.security import Security, check_address, check_encrypted, is_local
from dask_napari.tap import Tap
from dask_napari.viewer_process import ViewerProcess

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 1.0
"""Seconds between counts of known tasks and copies of the ledger; a person reads them."""

WAIT_INTERVAL: Final = 0.05
"""Seconds between looks at the ledger in ``wait``; each is one small message."""

SCREENSHOT_TIMEOUT: Final = 60.0
"""Seconds; drawing many layers with software GL takes several."""

T = TypeVar("T")


def watch(
    client: Client,
    *,
    listen: str | Iterable[str] | None = None,
    transport: Transport | None = None,
    title: str = "Dask live",
    memory: int | float | str | None = None,
    insecure: bool = False,
    timeout: float | None = None,
) -> Live:
    """Open napari and stream into it what the taps of the returned handle select.

    Parameters
    ----------
    client : distributed.Client
        Connected to any Dask cluster; not an asynchronous one.
    listen : str or iterable of str, optional
        Addresses for the viewer to listen on, ``tcp://host:port``. By default a private socket
        for workers on this host, and a TCP port on the interface that the scheduler is reached
        through (encrypted unless that is the loopback one).
    transport : {"auto", "shared-memory", "inline"}, optional
        How items travel; ``auto`` uses shared memory where it is proved to be shared.
    title : str
        Title of the window.
    memory : int, float or str, optional
        Pictures that the viewer keeps in memory, ``"4GiB"``, a share of what is available now,
        such as ``0.5``, or ``"none"`` for no limit; others go to disk. The configuration's
        ``memory`` if not given.
    insecure : bool
        Allow plain TCP that other hosts can reach.
    timeout : float, optional
        Seconds for the window to open; the configuration's ``viewer-timeout`` if not given.

    Returns
    -------
    Live
        A context manager: at its end the viewer closes and the sinks are gone.

    Raises
    ------
    TypeError
        If ``client`` is not a synchronous client.
    ValueError
        If ``listen``, ``transport`` or ``memory`` is not usable, or ``insecure`` is given while
        Dask requires encryption.
    ViewerFailed
        If the window does not open.

    Examples
    --------
    >>> from dask.distributed import Client, wait
    >>> with Client() as client, watch(client) as live:  # doctest: +SKIP
    ...     live.tap("segment", kind="labels", at="{well}_s{field:d}.tif")
    ...     futures = client.map(segment, paths)
    ...     done = wait(futures)
    ...     live.wait()
    """
    return Live(
        client,
        listen=listen,
        transport=transport,
        title=title,
        memory=memory,
        insecure=insecure,
        timeout=timeout,
    )


class Live:
    """A viewer that shows a cluster at work; made by :func:`watch`.

    Any number may watch one cluster; each has sinks of its own on the workers.

    Parameters
    ----------
    client, listen, transport, title, memory, insecure, timeout
        See :func:`watch`.

    Attributes
    ----------
    addresses : tuple of str
        Where the viewer listens.
    """

    def __init__(
        self,
        client: Client,
        *,
        listen: str | Iterable[str] | None = None,
        transport: Transport | None = None,
        title: str = "Dask live",
        memory: int | float | str | None = None,
        insecure: bool = False,
        timeout: float | None = None,
    ) -> None:
        _check_client(client)
        check_transport(transport or config.get("transport"))
        self.client = client
        self._name = f"{SINK_NAME}-{uuid.uuid4().hex[:8]}"
        self._taps: dict[str, Tap] = {}
        self._seen = Ledger()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        addresses = _listen(client, listen)
        required = _requires_encryption(client)
        if required and insecure:
            check_encrypted(addresses, None)
        security = _security(addresses, insecure, required)
        for address in addresses:
            if address != ANY_IPC:
                check_address(address, security=security, insecure=insecure)
        janitor.sweep()
        self._viewer = ViewerProcess(
            addresses,
            security=security,
            title=title,
            memory=config.get_memory(memory),
            insecure=insecure,
            timeout=config.get_seconds("viewer-timeout") if timeout is None else timeout,
        )
        self.addresses = self._viewer.addresses
        with contextlib.ExitStack() as undo:
            undo.callback(self._viewer.close)
            self._control = Control(
                self.addresses, security=security, alive=lambda: self._viewer.running
            )
            undo.callback(self._control.close)
            self._sink = NapariSink(
                self.addresses, transport=transport, security=security.client(), name=self._name
            )
            self._sink.idempotent = True  # registered again, it must not start anew
            undo.callback(self._unregister)
            self._register()
            undo.pop_all()
        # A script that ends without `close` must not leave a window behind. Weak, so that the
        # registration does not keep a forgotten handle alive.
        atexit.register(_close, weakref.ref(self))
        self._thread = threading.Thread(target=self._look, name="dask-napari-live", daemon=True)
        self._thread.start()

    # -- taps ------------------------------------------------------------------------------

    def tap(self, select: Any, **options: Any) -> Tap | tuple[Tap, ...]:
        """Stream the outputs that ``select`` chooses, from now on and those in memory already.

        Parameters
        ----------
        select : str, key, keys, futures, array, type or callable
            Which tasks; see :class:`~dask_napari.Tap`. Of an ``xarray.Dataset`` each variable
            that is in chunks and has two axes or more, a layer each.
        **options
            The other parameters of :class:`~dask_napari.Tap`: ``kind``, ``layer``, ``at``,
            ``axes``, ``scale``, ``units``, ``policy``, ``options`` ...

        Returns
        -------
        Tap or tuple of Tap
            The tap, for :meth:`untap`; several of a ``Dataset``.

        Raises
        ------
        ValueError, TypeError
            If an argument cannot be used; nothing has been sent then.
        """
        if is_dataset(select):
            taps = tuple(
                Tap(array, **options_of(name, options)) for name, array in variables(select).items()
            )
            self._add(taps)
            return taps
        tap = select if isinstance(select, Tap) and not options else Tap(select, **options)
        self._add([tap])
        return tap

    def watch(self, array: T, **options: Any) -> T:
        """Return an array equal to the given one, whose chunks appear as they are computed.

        Its graph has one more task a chunk, which shows the chunk and passes it on. So the
        chunks are seen wherever they go: fused into other tasks, into ``to_zarr`` or
        ``da.store``, into a reduction. Where they end in memory (``persist``, ``compute``),
        ``live.tap(array)`` does the same without a change of the graph.

        Parameters
        ----------
        array : dask.array.Array, xarray.DataArray or xarray.Dataset
            What to watch; of a ``Dataset`` each variable that is in chunks and has two axes or
            more, a layer each.
        **options
            Parameters of :class:`~dask_napari.Tap`: ``layer``, ``kind``, ``dims``, ``at`` ...

        Returns
        -------
        same type
            What to go on with. Nothing has been computed.

        Raises
        ------
        ValueError, TypeError
            If it cannot be shown; nothing has been sent then.

        Examples
        --------
        >>> smooth = live.watch(image.map_overlap(gaussian, depth=8))  # doctest: +SKIP
        >>> smooth.to_zarr("smooth.zarr")  # doctest: +SKIP
        """
        same, taps = tapped(array, **options)
        # Watched again, it is the same array: the newer tap takes the place of the older.
        known = {(tap.select, tap.layer) for tap in taps}
        with self._lock:
            others = {
                name: tap
                for name, tap in self._taps.items()
                if tap.chunks is None or (tap.select, tap.layer) not in known
            }
            self._update({**others, **{uuid.uuid4().hex: tap for tap in taps}})
        return same  # type: ignore[no-any-return]

    def untap(self, tap: Tap | Iterable[Tap]) -> None:
        """Stop streaming what a tap selects; what is shown stays.

        Parameters
        ----------
        tap : Tap or iterable of Tap
            What :meth:`tap` returned, or some of :attr:`taps`.

        Raises
        ------
        ValueError
            If the tap is not in force.
        """
        gone = [tap] if isinstance(tap, Tap) else list(tap)
        with self._lock:
            for one in gone:
                if not any(one is other for other in self._taps.values()):
                    raise ValueError(f"the tap on layer {one.layer!r} is not in force")
            self._update(
                {
                    name: other
                    for name, other in self._taps.items()
                    if not any(other is one for one in gone)
                }
            )

    def _add(self, taps: Iterable[Tap]) -> None:
        with self._lock:
            self._update({**self._taps, **{uuid.uuid4().hex: tap for tap in taps}})

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The taps in force."""
        return tuple(self._taps.values())

    def _update(self, taps: Mapping[str, Tap]) -> None:
        if self._closed.is_set():
            raise RuntimeError("this Live is closed; call watch(client) again")
        self.client.register_plugin(TapsUpdate(taps, self._name))
        self._taps = dict(taps)

    def _register(self) -> None:
        """Put the sink on the workers, present and future, unless it is there."""
        self._line = self.client.scheduler_comm
        owner = Owner(self.client.id, (f"{self._name}-taps", self._name))
        try:
            self.client.register_plugin(owner)
        except Exception as error:
            # The stream does without.
            logger.warning(
                "the scheduler cannot look after the sinks (%r); install dask-napari there, or "
                "close this handle before its client",
                error,
            )
        self.client.register_plugin(self._sink)
        self.client.register_plugin(TapsUpdate(self._taps, self._name))

    def _unregister(self) -> None:
        if self.client.status != "running":
            return
        remove, name = self.client.unregister_worker_plugin, self._name
        self._ask(functools.partial(remove, f"{name}-taps"), {})
        self._ask(functools.partial(remove, name), {})
        owner = functools.partial(self.client.unregister_scheduler_plugin, f"{name}-owner")
        self._ask(owner, None)

    # -- what is going on ------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether the window is there."""
        return not self._closed.is_set() and self._viewer.running

    def ledger(self) -> Ledger:
        """What became of every selected output.

        When the viewer is gone, what it has shown is known as of its last second; items that
        were sent to it after that count as dropped ("viewer-gone").
        """
        if self.open:
            try:
                return self._control.ledger()
            except ViewerGone:
                if self.open:
                    raise
        return _without_viewer(self._counts(), self._seen)

    def wait(self, timeout: float | None = None) -> Ledger:
        """Wait until everything selected so far is shown or accounted for.

        Call it when the computation is done, for instance after ``distributed.wait(futures)``.
        If the viewer was closed, nothing will be shown any more and the call returns.

        Parameters
        ----------
        timeout : float, optional
            Seconds; without end if not given.

        Returns
        -------
        Ledger
            As it was then.

        Raises
        ------
        TimeoutError
            If items are still pending; the text holds the ledger.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        wanted = [
            (worker["name"], count["layer"], count["selected"])
            for worker in self._counts()
            for count in worker["counts"]
        ]
        while True:
            ledger = self.ledger()
            if not self.open or _settled(ledger, wanted):
                return ledger
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"items are still pending after {timeout} s:\n{ledger}")
            self._closed.wait(WAIT_INTERVAL)

    def screenshot(self, path: str | Path) -> Path:
        """Save what the window shows, all that has arrived included, as a PNG file.

        Raises
        ------
        ViewerGone
            If the window was closed.
        """
        path = Path(path)
        answer = self._control.request("screenshot", timeout=SCREENSHOT_TIMEOUT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer["png"])
        return path

    def block(self) -> None:
        """Wait until the user closes the window."""
        while not self._closed.is_set() and not self._viewer.wait(LOOK_INTERVAL):
            pass

    def close(self) -> None:
        """Close the window and remove the sinks; may be called again."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
        atexit.unregister(_close)
        self._unregister()
        self._control.close()
        self._viewer.close()
        if self._thread is not threading.current_thread():
            self._thread.join()
        janitor.sweep()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "open" if self.open else "closed"
        return f"<Live: viewer {state}, {len(self._taps)} taps, {self.addresses[-1]}>"

    # -- the thread ------------------------------------------------------------------------

    def _look(self) -> None:
        """Tell the viewer how much there is to come, until it ends."""
        while not self._closed.wait(LOOK_INTERVAL):
            if not self._viewer.running:
                break
            self._rejoin()
            try:
                self._seen = self._control.ledger()
                known = self._known()
                if known:
                    self._control.request("known", known)
            except (ViewerGone, RuntimeError) as error:
                logger.debug("no look at the viewer: %s", error)
        if not self._closed.is_set():
            code = self._viewer.process.wait()
            log = logger.info if code == 0 else logger.warning
            log(
                "the viewer ended (exit code %s); the computation goes on\n%s",
                code,
                self._viewer.log(),
            )
            janitor.sweep()  # of a viewer that was killed

    def _rejoin(self) -> None:
        """Register again if the client lost the scheduler and has found it, or a new one."""
        if self.client.status == "running" and self.client.scheduler_comm is not self._line:
            with self._lock:
                if not self._closed.is_set():
                    self._ask(self._register, None)

    def _known(self) -> dict[str, int]:
        names: dict[str, list[str]] = {}
        known: Counter[str] = Counter()
        for tap in self.taps:
            if tap.chunks is not None and tap.layer is not None:
                known[tap.layer] += tap.chunks.items
            if isinstance(tap.select, str) and tap.layer is not None:
                names.setdefault(tap.layer, []).append(tap.select)
        if not names or self.client.status != "running":
            return dict(known)
        every = sorted({name for group in names.values() for name in group})
        ask = functools.partial(known_tasks, every)
        nothing: dict[str, int] = {}
        counts = self._ask(functools.partial(self.client.run_on_scheduler, ask), nothing)
        for layer, group in names.items():
            known[layer] += sum(counts[name] for name in group if name in counts)
        return dict(known)

    def _counts(self) -> list[dict[str, Any]]:
        run = functools.partial(self.client.run, worker_counts, self._name, on_error="ignore")
        nothing: dict[str, dict[str, Any]] = {}
        return [counts for counts in self._ask(run, nothing).values() if counts]

    def _ask(self, call: Callable[[], T], otherwise: T) -> T:
        """Ask the cluster something that is not worth an error: it may be ending."""
        try:
            return call()
        except Exception as error:
            logger.debug("the cluster does not answer: %r", error)
            return otherwise


def _close(live: weakref.ref[Live]) -> None:
    if (handle := live()) is not None:
        handle.close()


def _check_client(client: object) -> None:
    from distributed import Client

    if not isinstance(client, Client):
        raise TypeError(f"watch() needs a distributed.Client, not {type(client).__name__}")
    if client.asynchronous:
        raise TypeError(
            "watch() needs a synchronous client; make one with Client(address) beside the "
            "asynchronous one"
        )
    if client.status != "running":
        raise ValueError(f"the client is {client.status}; connect it to a cluster first")


def _listen(client: Client, listen: str | Iterable[str] | None) -> list[str]:
    """Addresses for the viewer: the user's, or those through which the workers can reach it."""
    if listen is not None:
        return [listen] if isinstance(listen, str) else list(listen)
    from distributed.comm import get_address_host
    from distributed.utils import get_ip

    scheduler = client.scheduler
    assert scheduler is not None
    address = scheduler.address
    if address.startswith("inproc://"):
        return [ANY_IPC, "tcp://127.0.0.1:*"]
    host = get_address_host(address)
    own = "127.0.0.1" if is_local(f"tcp://{host}:1") else get_ip(host)
    return [ANY_IPC, f"tcp://{own}:*"]


def _security(addresses: Iterable[str], insecure: bool, required: bool) -> Security:
    """A token always; keys too, unless no other host can listen in or the user says no.

    Where Dask requires encryption, on this host too.
    """
    keys = not insecure and (required or not all(is_local(address) for address in addresses))
    return Security.generate(encrypt=keys)


def _requires_encryption(client: Client) -> bool:
    own = client.security is not None and client.security.require_encryption
    return own or config.encryption_required()


def _settled(ledger: Ledger, wanted: Iterable[tuple[str, str, int]]) -> bool:
    if ledger.total.pending:
        return False
    missing = Tally()
    return all(
        ledger.tallies.get((name, layer), missing).selected >= selected
        for name, layer, selected in wanted
    )


def _without_viewer(workers: Iterable[dict[str, Any]], seen: Ledger) -> Ledger:
    tallies = dict(seen.tallies)
    for worker in workers:
        for count in worker["counts"]:
            key = worker["name"], count["layer"]
            then = seen.tallies.get(key, Tally())
            tally = Tally(
                selected=count["selected"],
                shown=then.shown,
                coalesced=max(then.coalesced, count["coalesced"]),
                dropped=_counter(count["dropped"]) | then.dropped,
                pending=count["queued"],
            )
            accounted = tally.shown + tally.coalesced + tally.dropped.total() + tally.pending
            gone = tally.selected - accounted
            if gone > 0:
                tally.dropped["viewer-gone"] += gone
            tallies[key] = tally
    return Ledger(tallies)


def _counter(counts: Mapping[str, int]) -> Counter[str]:
    return Counter(dict(counts))
