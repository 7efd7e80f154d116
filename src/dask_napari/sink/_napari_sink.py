"""The worker plugin."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dask_napari import config
from dask_napari.model import Refusal, Reports, Tally, TapMatches, described
from dask_napari.sink import _sent_taps, dask_internals
from dask_napari.sink._portable import PortablePlugin
from dask_napari.sink._prometheus import prometheus
from dask_napari.sink._session import Session
from dask_napari.sink._task_values import TaskValues
from dask_napari.stream.auth import Security, check_dialed, check_encrypted
from dask_napari.stream.send import Transport, check_transport
from dask_napari.tap import Tap, TapSet

if TYPE_CHECKING:
    from distributed import Worker

logger = logging.getLogger(__name__)

SINK_NAME: Final = "dask-napari"
"""Name of the plugin unless another is given, for ``client.unregister_worker_plugin``."""

OUTPUTS_METRIC: Final = "dask-napari-outputs"
"""Name of the metric with the ledger's counts; that of the memory has the name of the sink."""

RETRY: Final = 5.0
"""Seconds until a publisher is tried again for which there were no file descriptors."""


class NapariSink(PortablePlugin):
    """Stream tapped task outputs from a worker to a viewer.

    Register it with :meth:`distributed.Client.register_plugin`; it is then on every worker,
    present and future. :func:`dask_napari.watch` does that and more. Sinks of different names
    stand side by side, each with a viewer of its own; one that is registered under the name of
    another replaces it, for instance to stream to another address.

    Parameters
    ----------
    addresses : str or sequence of str, optional
        Address of the viewer, ``tcp://host:port``; the configuration's ``address`` if not given.
    taps : iterable of Tap or mapping of str to Tap
        Taps; a mapping names each of them, so that later changes can tell them apart.
    transport : {"auto", "shared-memory", "inline"}, optional
        The configuration's ``transport`` if not given.
    security : Security, optional
        The viewer's keys and token; they travel over Dask's own channel. Not needed where
        workers and viewer are of one user and host: they find them there.
    insecure : bool, optional
        Connect without keys, too, where none are given or found: whoever listens at the address
        gets all outputs. The configuration's ``insecure`` if not given.
    name : str
        Name of the plugin.

    Raises
    ------
    ValueError
        If there is no address or name, taps contradict each other, or there are no keys for an
        address of another host.

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
        insecure: bool | None = None,
        name: str = SINK_NAME,
    ) -> None:
        if not name:
            raise ValueError("name is empty; leave it out or name the sink")
        self.name = name
        self.group: str = uuid.uuid4().hex
        """Identity on all workers: viewers keep the runs of two sinks apart."""
        addresses = addresses or config.get("address")
        if not addresses:
            raise ValueError(
                "no address of a viewer; pass NapariSink('tcp://host:port') or set "
                "dask-napari.address in the Dask configuration"
            )
        self.addresses: tuple[str, ...] = (
            (addresses,) if isinstance(addresses, str) else tuple(addresses)
        )
        self.transport: Transport = transport or config.get("transport")
        check_transport(self.transport)
        self.security = security
        self.insecure: bool = bool(config.get("insecure") if insecure is None else insecure)
        check_dialed(self.addresses, security=security, insecure=self.insecure)
        self._named = taps if isinstance(taps, Mapping) else {uuid.uuid4().hex: t for t in taps}
        self._taps = TapSet(self._named.values())
        self._reset()

    def _reset(self, refusals: Iterable[Refusal] = ()) -> None:
        self._reports = Reports(logger)
        self._refusals = tuple(refusals)
        self._number = 0
        self._session: Session | None = None
        self._retry: asyncio.TimerHandle | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Only what the constructor was given travels.
        names = ("name", "group", "addresses", "transport", "security", "insecure")
        return {
            **{name: self.__dict__[name] for name in names},
            "_named": _sent_taps.sent(self._named),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._named, refusals = _sent_taps.opened(state["_named"])
        self._taps = TapSet(self._named.values())
        self._reset(refusals)

    def __repr__(self) -> str:
        state = self._session or "closed"
        return f"<NapariSink {self.name} to {self.addresses[0]}, {len(self._taps)} taps: {state}>"

    # -- WorkerPlugin ----------------------------------------------------------------------

    def setup(self, worker: Worker) -> None:
        """Start streaming. Called by Dask; an error here is logged and leaves the worker be.

        Raises ValueError if Dask requires encryption and the stream would have none.
        """
        try:
            if self.insecure and dask_internals.requires_encryption(worker):
                check_encrypted(self.addresses, self.security)
            dask_internals.set_metric(worker, SINK_NAME, memory_of_sinks)
            dask_internals.set_metric(worker, OUTPUTS_METRIC, outputs_of_sinks)
            prometheus.add(self, self.tallies)
            self._report(self._refusals)
            self._open(worker)
        except Exception as error:
            self._tell_client(worker, error)
            raise

    def _report(self, refusals: Iterable[Refusal]) -> None:
        for refusal in refusals:
            self._reports.error(refusal.reason, refusal, layer=refusal.layer)

    def _tell_client(self, worker: Worker, error: BaseException) -> None:
        """Send the client an error that no stream can report."""
        text = f"nothing is streamed from here: {described(error)}"
        reason = f"no sink: {type(error).__name__}"
        event = {"worker": worker.address, "reason": reason, "text": text}
        worker.log_event(self.name, event)

    def _open(self, worker: Worker) -> None:
        """Begin a session, now or when there is room for it."""
        try:
            self._session = Session(
                worker,
                addresses=self.addresses,
                group=self.group,
                transport=self.transport,
                security=self.security,
                insecure=self.insecure,
                taps=self._taps,
                reports=self._reports,
            )
        except (OSError, RuntimeError) as error:  # no file descriptors, no thread
            if self._reports.error("not streaming yet", error):
                self._tell_client(worker, error)
            self._retry = asyncio.get_running_loop().call_later(RETRY, self._open, worker)

    def teardown(self, worker: Worker) -> Awaitable[object] | None:
        """Send the tail and stop. Called by Dask."""
        session, self._session = self._session, None
        if self._retry is not None:
            self._retry.cancel()
        if not any(sink is not self for sink in sinks_of(worker)):
            dask_internals.set_metric(worker, SINK_NAME, None)
            dask_internals.set_metric(worker, OUTPUTS_METRIC, None)
        prometheus.discard(self)
        return session.close() if session is not None else None

    def transition(self, key: Any, start: str, finish: str, **kwargs: object) -> None:
        """Look at a task that has just ended. Called by Dask, on the event loop."""
        session = self._session
        if session is None:
            return
        if finish == "error":
            session.task_states.failed(key)
        if finish != "memory":
            return
        if start in dask_internals.COMPUTING:
            session.finished_tasks.select(key)
        elif start == dask_internals.SCATTERED:
            session.stored_outputs.arrived(key)

    # -- for TapsUpdate, tasks and clients -------------------------------------------------

    def set_taps(
        self, named: Mapping[str, Tap], refusals: Iterable[Refusal] = (), *, number: int = 0
    ) -> None:
        """Replace the taps; outputs of new ones that are in memory already are streamed too.

        New taps are those under a new name; refusals of taps that cannot be used are reported.
        A change with a lower number than the last is out of date and ignored. Raises ValueError,
        and changes nothing, if taps contradict each other.
        """
        if number < self._number:
            return
        # A tap stays the object that it was, so that scans know theirs; unless it was unusable.
        unusable = {refusal.layer for refusal in self._refusals}
        usable = {n: tap for n, tap in self._named.items() if tap.layer not in unusable}
        named = {name: usable.get(name, tap) for name, tap in named.items()}
        taps = TapSet(named.values())
        self._refusals = tuple(refusals)
        self._report(self._refusals)
        added = [tap for name, tap in named.items() if name not in self._named]
        self._named, self._taps, self._number = named, taps, number
        if self._session is not None:
            self._session.set_taps(taps, added)

    @property
    def task_values(self) -> TaskValues | None:
        """Takes values that tasks show; None while the sink does not stream."""
        return self._session.task_values if self._session is not None else None

    def memory(self) -> dict[str, int]:
        """Return how many bytes of the worker's memory the sink holds, by purpose."""
        session = self._session
        return session.publisher.memory() if session is not None else {}

    def tallies(self) -> dict[str, Tally]:
        """Return the worker's side of the ledger, by layer."""
        return self._session.publisher.counts() if self._session is not None else {}

    def counts(self) -> dict[str, Any]:
        """Return the worker's side of the ledger and the state of its connection."""
        publisher = self._session.publisher if self._session is not None else None
        return {
            "name": publisher.name if publisher else "",
            "addresses": list(self.addresses),
            "state": publisher.state if publisher else "closed",
            "transport": publisher.transport if publisher else "",
            "viewer": publisher.viewer if publisher else "",
            "taps": self._session.tap_matches if self._session else TapMatches(),
            "counts": self.tallies(),
            "uncounted": {
                refusal.layer: refusal.detail
                for refusal in self._refusals
                if isinstance(refusal, _sent_taps.UncountedTap)
            },
        }


def sinks_of(worker: Worker) -> list[NapariSink]:
    """Return the sinks of a worker, of all names."""
    return [
        plugin for plugin in dask_internals.plugins_of(worker) if isinstance(plugin, NapariSink)
    ]


def memory_of_sinks(worker: Worker) -> dict[str, int]:
    """Return how many bytes all sinks hold of a worker's memory: a metric, sent at heartbeats."""
    total: dict[str, int] = {}
    for sink in sinks_of(worker):
        for name, number in sink.memory().items():
            total[name] = total.get(name, 0) + number
    return total


def outputs_of_sinks(worker: Worker) -> dict[str, int]:
    """Return what became of the outputs of all sinks of a worker: a metric, sent at heartbeats."""
    total = Tally()
    for sink in sinks_of(worker):
        for tally in sink.tallies().values():
            total.add(tally)
    return {
        "selected": total.selected,
        "sent": total.sent,
        "coalesced": total.coalesced,
        "dropped": total.dropped.total(),
        "pending": total.pending,
    }
