"""Addresses of this host that workers can dial: they are asked, since only they can know."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from dask_napari.live._cluster_requests import ClusterRequests
from dask_napari.live._worker_reports import WorkerReports, named
from dask_napari.sink import dask_internals
from dask_napari.stream.auth import beacon, host_and_port, is_local

logger = logging.getLogger(__name__)

NEWCOMERS_INTERVAL: Final = 5.0
"""Seconds between looks for new workers."""


def interfaces_to_use(requests: ClusterRequests) -> tuple[str, ...]:
    """Return the hosts to listen on: few, by which all workers reach this host.

    That of the way to the scheduler, unless workers that are asked cannot dial it, as behind a
    tunnel to the scheduler. Raises ConnectionError if none of them can dial any.
    """
    route = _way_to_scheduler(requests)
    if all(any(dialed) for dialed in _dialed(requests, [f"tcp://{route}:*"]).values()):
        return (route,)
    others = [host for host in beacon.host_addresses() if host != route]
    hosts = [route, *others]
    return _fewest(requests, hosts, _dialed(requests, [f"tcp://{host}:*" for host in hosts]))


def hosts_to_tell(
    requests: ClusterRequests, listen: Sequence[str], advertised: Sequence[str]
) -> tuple[str, ...]:
    """Return the hosts to tell workers in the place of wildcards among the addresses.

    Raises ConnectionError if no worker can dial the addresses, or the advertised ones.
    """
    tcp = [address for address in listen if address.startswith("tcp://")]
    wild = [a for a in tcp if host_and_port(a)[0] in beacon.WILDCARDS]
    if wild and not advertised:
        hosts = [_way_to_scheduler(requests), *beacon.host_addresses(), "127.0.0.1"]
        hosts = list(dict.fromkeys(hosts))
        answers = _dialed(requests, tcp, [(wild[0], host) for host in hosts])
        return _fewest(requests, hosts, answers) if answers else (hosts[0],)
    answers = _dialed(requests, tcp, advertised=advertised)
    _fewest(requests, advertised or tcp, answers)
    return ()


class Newcomers:
    """Ask workers that join later, each once, whether they can dial the viewer."""

    def __init__(self, requests: ClusterRequests, reports: WorkerReports) -> None:
        self._requests = requests
        self._reports = reports
        self._asked: set[str] = set()
        self._next = time.monotonic()

    def __repr__(self) -> str:
        return f"<Newcomers: {len(self._asked)} workers asked>"

    def check(self, told: Sequence[str], viewer_answers: Callable[[], bool]) -> None:
        """Ask new workers, every few seconds; report those that cannot dial.

        Nobody can dial a viewer that stops meanwhile: unless ``viewer_answers`` then, the workers
        are asked anew at the next look.
        """
        tcp = [address for address in told if address.startswith("tcp://")]
        client = self._requests.client
        if not tcp or time.monotonic() < self._next or client.status != "running":
            return
        self._next = time.monotonic() + NEWCOMERS_INTERVAL
        try:
            present: set[str] = set(self._requests.call(client.nthreads))
        except Exception as error:
            logger.debug("the cluster does not answer: %r", error)
            return
        new, self._asked = present - self._asked, present
        if new:
            answers = _ask(self._requests, tcp, beacon.GREETING, new)
            lost = [worker for worker, dialed in answers.items() if not any(dialed)]
            if lost and not viewer_answers():
                self._asked.difference_update(lost)
                return
            for worker in lost:
                text = _advice(self._requests, tcp)
                self._reports.add(worker, "cannot reach the viewer", text)


def _way_to_scheduler(requests: ClusterRequests) -> str:
    """Return the address of this host on the interface that leads to the scheduler."""
    host = dask_internals.scheduler_host(requests.client)
    same_host = not host or is_local(f"tcp://{host}:1")
    return "127.0.0.1" if same_host else dask_internals.own_host(host)


def _dialed(
    requests: ClusterRequests,
    listen: Sequence[str],
    hosts: Sequence[tuple[str, str]] = (),
    advertised: Sequence[str] = (),
) -> Mapping[str, list[bool]]:
    """Return for each worker that answers which addresses it can dial.

    They are those listened on, each host in the place of the wildcard with it, or the advertised.
    """
    with beacon.Beacon(listen) as probe:
        bound = probe.addresses
        if advertised:
            tried = list(advertised)
        elif hosts:
            tried = [beacon.with_host(bound[wild], host) for wild, host in hosts if wild in bound]
        else:
            tried = [bound[address] for address in listen if address in bound]
        if not bound or not tried:
            return {}  # the viewer cannot listen either, and says why
        return _ask(requests, tried, probe.token)


def _ask(
    requests: ClusterRequests,
    addresses: Sequence[str],
    token: bytes,
    workers: Iterable[str] | None = None,
) -> Mapping[str, list[bool]]:
    """Return for each worker that answers at which addresses it finds a token."""
    dial: Callable[..., Any] = functools.partial(beacon.dial, addresses, token)
    return requests.workers(dial, addresses=workers)


def _fewest(
    requests: ClusterRequests, names: Sequence[str], answers: Mapping[str, Sequence[bool]]
) -> tuple[str, ...]:
    """Return few hosts by which all workers that can dial any are served; warn of the others."""
    chosen: list[str] = []
    left = {worker for worker, dialed in answers.items() if any(dialed)}
    lost = [worker for worker in answers if worker not in left]
    if answers and not left:
        raise ConnectionError(f"{named(lost)}: {_advice(requests, names)}")
    if lost:
        logger.warning("%s: %s", named(lost), _advice(requests, names))
    while left:
        served = [{w for w in left if answers[w][n]} for n in range(len(names))]
        best = max(range(len(names)), key=lambda n: len(served[n]))
        chosen.append(names[best])
        left -= served[best]
    return tuple(chosen)


def _advice(requests: ClusterRequests, tried: Iterable[str]) -> str:
    return (
        f"cannot reach the viewer on this host (tried {', '.join(tried)}; the scheduler is reached "
        f"at {dask_internals.scheduler_address(requests.client)}). Behind a tunnel or a port "
        "forward, forward a port back, for instance by ssh -R '*:5577:127.0.0.1:5577' HOST, where "
        "HOST is one that the workers reach, and call watch(client, "
        "listen='tcp://127.0.0.1:5577', advertise='tcp://HOST:5577'). Else allow connections "
        "through this host's firewall, or give listen= an address that they reach"
    )
