"""Clients: who asks something of the viewer, and what waits to be answered."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dask_napari.model import REPORTS_LIMIT, Ledger, Report
from dask_napari.stream.receive._cluster_link import ClusterLink
from dask_napari.stream.receive._item_rates import ItemRates
from dask_napari.stream.receive._publishers import Publishers
from dask_napari.stream.wire import Limits, Rejected
from dask_napari.stream.wire import messages as wire

ARGUMENTS_LIMIT: Final = 1 << 20
"""Bytes of a request's header: a thousand layers' totals with long names. At most
`Limits.requests` of them wait."""

_COUNT_LIMIT: Final = 1 << 62
"""Tasks that a layer is to have; napari's progress bars take 31 bits, the dock sees to that."""


_Text = Annotated[str, Meta(max_length=1000)]


class _ReportsOfWorkers(msgspec.Struct):
    """Arguments of a request: whose reports, their causes, and their texts."""

    reports: Annotated[list[tuple[_Text, _Text, _Text]], Meta(max_length=REPORTS_LIMIT)]


@dataclass(frozen=True, slots=True)
class Request:
    """Something that a client asks of the viewer; answer once, from any thread."""

    name: str
    arguments: dict[str, Any]
    _answer: Callable[[dict[str, Any], str], None] = field(repr=False)

    def reply(self, result: dict[str, Any] | None = None) -> None:
        """Answer with values that msgpack can carry."""
        self._answer(result or {}, "")

    def fail(self, message: str) -> None:
        """Answer that it cannot be done, and why."""
        self._answer({}, message)


class Clients:
    """The clients of one receiver; used by its thread, but for :attr:`requests` and :attr:`known`.

    Only ``trusted`` clients, which have named a token, are told more than the ledger. ``post``
    sends a message to an identity, from any thread.
    """

    def __init__(
        self,
        limits: Limits,
        publishers: Publishers,
        post: Callable[[bytes, wire.Message], None],
        *,
        trusted: bool,
    ) -> None:
        self._trusted = trusted
        self._limits = limits
        self._publishers = publishers
        self._post = post
        self._identities: dict[bytes, None] = {}  # in the order in which they last spoke
        self.requests: queue.Queue[Request] = queue.Queue(limits.requests)
        self.cluster: ClusterLink = ClusterLink(publishers.run_of)
        self.rates: ItemRates = ItemRates(publishers.sums)
        self.known: dict[str, int] = {}
        """Tasks that will fill each layer; replaced, never changed."""
        self.reports: list[tuple[str, Report]] = []
        """Reports of workers that have no stream, with their names; replaced, never changed."""

    def __repr__(self) -> str:
        return f"<Clients: {len(self)} known, {self.requests.qsize()} requests wait>"

    def __contains__(self, identity: bytes) -> bool:
        return identity in self._identities

    def __len__(self) -> int:
        return len(self._identities)

    def admit(self, identity: bytes) -> None:
        """Remember a client, if need be in place of the one that was silent for longest."""
        self._identities.pop(identity, None)
        while len(self._identities) >= self._limits.clients:
            del self._identities[next(iter(self._identities))]
        self._identities[identity] = None

    def forget(self, identity: bytes) -> None:
        """Forget a client, if it is one."""
        self._identities.pop(identity, None)

    def ask(self, identity: bytes, request: wire.RequestMessage, size: int) -> None:
        """Answer a request that came in ``size`` bytes, or hand it to the viewer.

        Raises Rejected if it is too large or not one.
        """
        self.admit(identity)

        def answer(result: dict[str, Any], error: str) -> None:
            self._post(identity, wire.ReplyMessage(request.id, result, error))

        if size > ARGUMENTS_LIMIT:
            answer({}, f"a request of more than {ARGUMENTS_LIMIT} bytes")
            raise Rejected("request that is too large")
        if request.name == "ledger":
            answer({"ledger": plain(self._publishers.ledger())}, "")
        elif request.name == "sums":
            answer({"sums": self._publishers.sums().layers, "rates": self.rates.rates()}, "")
        elif request.name == "counts":
            answer({"counts": self._publishers.counts()}, "")
        elif request.name == "settled":
            answer({"settled": self._publishers.settled(_numbers(request.arguments))}, "")
        elif request.name == "known":
            self._learn(request.arguments)
            answer({}, "")
        elif request.name == "bye":
            self.forget(identity)
            answer({}, "")
        elif not self._trusted:
            answer({}, "this viewer asks for no token, so anybody could; start it with one")
            raise Rejected("request without a token")
        elif request.name == "reports":
            self._hear(request.arguments)
            answer({}, "")
        elif request.name == "peers":
            peers = [(peer.name, peer.transport, peer.alive) for peer in self._publishers.infos()]
            answer({"peers": peers}, "")
        elif request.name == "cluster":
            answer({"commands": self.cluster.hear(request.arguments, size)}, "")
        else:
            try:
                self.requests.put_nowait(Request(request.name, request.arguments, answer))
            except queue.Full:
                answer({}, f"{self._limits.requests} requests wait for the viewer already")
                raise Rejected("too many requests") from None

    def _hear(self, arguments: dict[str, Any]) -> None:
        try:
            told = msgspec.convert(arguments, _ReportsOfWorkers)
        except msgspec.ValidationError as error:
            raise Rejected("reports that are malformed") from error
        self.reports = [(name, Report("", reason, "", text)) for name, reason, text in told.reports]

    def _learn(self, known: dict[str, Any]) -> None:
        merged = {**self.known, **_numbers(known)}
        if len(merged) > self._limits.layers:
            raise Rejected("too many layers")
        self.known = merged


def _numbers(arguments: dict[str, Any]) -> dict[str, int]:
    for number in arguments.values():
        if type(number) is not int or not 0 <= number <= _COUNT_LIMIT:
            raise Rejected("counts that are not whole numbers")
    return arguments


def plain(ledger: Ledger) -> list[list[Any]]:
    """Return a ledger as data that msgpack can carry."""
    return [
        [name, layer, t.selected, t.shown, t.coalesced, dict(t.dropped), t.pending]
        for (name, layer), t in ledger.tallies.items()
    ]
