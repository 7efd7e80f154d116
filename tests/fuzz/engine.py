"""The engine of the fuzz tests: programs of messages, played to the receiver's own code.

One program is a string of bytes. `Arena`s, boards and decoders are the real ones; only the socket
is left out, which makes some thousand programs a second. After each program the receiver must
still serve a well-behaved peer, hold no more than its limits, and have met no error of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from msgspec import inspect

from dask_napari.catalog import Catalogue
from dask_napari.model import (
    REPORTS_LIMIT,
    ItemMeta,
    LayerSpec,
    Provenance,
    Report,
    Tally,
    TaskStatus,
    check,
)
from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Board, plain
from dask_napari.stream.receive._cluster_link import STATUSES_LIMIT
from dask_napari.stream.receive._protocol import ReceiverProtocol
from dask_napari.stream.shm import arena as arenas
from dask_napari.stream.wire import ITEM_COST, Limits, cost_of
from dask_napari.stream.wire import messages as wire
from dask_napari.stream.wire._codec import Codec, encode
from fuzz.choices import TEXTS, Choices, packed

LIMITS = Limits(
    credit=1 << 14,
    frame=1 << 16,
    peers=8,
    clients=4,
    requests=4,
    layers=6,
    specs=1 << 16,
    publishers=12,
    ended=4,
    tallies=24,
    heartbeat=1e6,
)
"""Small, so that a short program gets to each of them."""

IDENTITIES = tuple(f"peer{n}".encode() for n in (0, 0, 0, 0, 1, 1, 2, *range(3, 12)))
GOOD = b"good"
SECURITY = Security("right")
REASONS_LIMIT = 80
"""Reasons for a rejection that there may be in all; the code has some sixty."""

TYPES = {cls.__struct_config__.tag: inspect.type_info(cls) for cls in wire.FromPublisher.__args__}

SEEDS = (b"", bytes(64), bytes(range(256)), b"\x01\x07" * 60, bytes(reversed(range(256))) * 2)
"""Where a search begins; a program that once found something belongs here, too."""


ELEMENTS: dict[str, dict[str, np.ndarray]] = {
    "points": {"data": np.ones((3, 2)), "feature:a": np.arange(3)},
    "shapes": {
        "data": np.arange(14.0).reshape(7, 2),
        "offsets": np.array([0, 3, 7]),
        "types": np.array([0, 1], "u1"),
    },
    "tracks": {
        "data": np.array([[0, 0, 1, 1], [1, 1, 2, 2]], "f8"),
        "graph": np.array([[1, 0]]),
    },
    "vectors": {"data": np.ones((3, 2, 2)), "feature:b": np.array(["a", "b", "c"])},
    "surface": {
        "data": np.ones((4, 3)),
        "faces": np.array([[0, 1, 2], [1, 2, 3]]),
        "values": np.ones(4),
    },
    "labels": {
        "data": np.ones((4, 4), "u1"),
        "feature:index": np.array([1]),
        "feature:area": np.array([2.0]),
    },
}


class Finding(AssertionError):
    """A promise that a program broke."""


@contextlib.contextmanager
def private_segments() -> Iterator[Path]:
    """Keep segments out of /dev/shm, where other tests look."""
    before = arenas.DIRECTORY
    with tempfile.TemporaryDirectory() as folder:
        arenas.DIRECTORY = Path(folder)
        try:
            yield arenas.DIRECTORY
        finally:
            arenas.DIRECTORY = before


class Game:
    """One receiver, its hostile peers and a good one."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.board = Board(limit=1 << 16)
        self.sent: list[tuple[bytes, wire.Message]] = []
        self.protocol = ReceiverProtocol(self.board, LIMITS, SECURITY, self._send, self._post)
        self.epochs: dict[bytes, int] = {}
        self.numbers: dict[bytes, int] = {}
        self.credit: dict[bytes, int] = {}
        self.refused = ""
        self.arena: arenas.Arena | None = None
        self.catalogue = Catalogue()
        self.cut = False
        """Whether the arena's file was made smaller: to write there would be a SIGBUS of ours."""
        self.good = 0
        self._hello(GOOD, "good")
        self._good_item()

    def _send(self, identity: bytes, message: wire.Message) -> bool:
        # What the socket would do, in and out of msgpack.
        again = wire.decode_from_receiver(wire.encode(message))
        if isinstance(again, wire.Welcome):
            self.epochs[identity] = again.epoch
            self.numbers[identity] = 0
            self.credit[identity] = again.credit
        if isinstance(again, wire.Credit):
            self.credit[identity] += again.nbytes
        if identity == GOOD and isinstance(again, wire.Refused):
            self.refused = again.reason
        return identity == GOOD or not self.choices.seldom(200)

    def _post(self, identity: bytes, message: wire.Message) -> None:
        self.protocol.send(identity, message)

    def _receive(self, identity: bytes, *frames: bytes) -> None:
        self.protocol.receive(identity, [memoryview(frame) for frame in frames])

    def _hello(self, identity: bytes, name: str, role: str = "publisher") -> None:
        hello = wire.Hello(wire.WIRE_VERSION, "0", role, name, "right")  # type: ignore[arg-type]
        self._receive(identity, wire.encode(hello))

    # -- the good peer -----------------------------------------------------------------------

    def _good_item(self) -> None:
        if self.credit[GOOD] <= 0:
            return  # the board is full; a good peer waits
        self.good += 1
        self.numbers[GOOD] += 1
        header = wire.ItemHeader(
            self.good,
            ItemMeta("good layer", "image", {"t": self.good}),
            [wire.ArrayHeader("data", "|u1", (2, 2), 0, 4)],
        )
        count = {"good layer": Tally(self.good, sent=self.good)}
        batch = wire.Batch(self.epochs[GOOD], self.numbers[GOOD], [header], count)
        data = wire.encode(batch)
        self.credit[GOOD] -= cost_of(4, len(data), 1)
        self._receive(GOOD, data, bytes(4))
        self.protocol.grant()

    # -- the hostile ones --------------------------------------------------------------------

    def play(self) -> None:
        """Play the program to its end."""
        try:
            for _ in range(200):
                if self.choices.spent:
                    break
                self._step()
            self._check()
        finally:
            self.protocol.close()
            if self.arena is not None:
                self.arena.close()

    def _step(self) -> None:
        choices = self.choices
        identity = choices.pick(IDENTITIES)
        match choices.below(15):
            case 0:
                self._receive(
                    identity, *(choices.bytes(choices.below(40)) for _ in range(choices.below(3)))
                )
            case 1:
                role = choices.pick(("publisher", "client"))
                self._hello(identity, f"{choices.pick(TEXTS)}{choices.below(40)}"[:1024], role)
            case 2 | 3:
                self._batch(identity)
            case 4:
                self._offer(identity)
            case 5:
                self._take()
            case 6:
                self._good_item()
            case 7:
                self._flood(identity)
            case 9 | 10:
                self._element(identity)
            case 11 | 12:
                self._coded(identity)
            case 8:
                name = choices.pick(tuple(TYPES))
                data = packed(self._guided(identity, name))
                self._receive(identity, choices.mutated(data), choices.bytes(choices.below(40)))
            case _:
                name = choices.pick(tuple(TYPES))
                self._receive(
                    identity, packed(self._guided(identity, name)), choices.bytes(choices.below(40))
                )

    def _guided(self, identity: bytes, name: str) -> dict[str, object]:
        """A message of any content, of which what gets it past the first checks is right."""
        self._introduce(identity, "client" if name == "REQUEST" else "publisher")
        self.choices.wild = self.choices.seldom(4)
        message = self.choices.value(TYPES[name])
        if not isinstance(message, dict):
            return {"type": name}
        for field, right in (
            ("epoch", self.epochs.get(identity, 0)),
            ("number", self.numbers.get(identity, 0) + 1),
            ("wire", wire.WIRE_VERSION),
            ("token", "right"),
        ):
            if field in message and not self.choices.seldom():
                message[field] = right
        if name in ("BATCH", "PART"):
            self.numbers[identity] = self.numbers.get(identity, 0) + 1
        return message

    def _flood(self, identity: bytes) -> None:
        """Many right messages: HELLOs, items, layers, counts, errors or questions."""
        choices = self.choices
        what, start = choices.below(7), choices.below(64)
        if what:
            self._introduce(identity, "client" if what in (1, 2) else "publisher")
        epoch = self.epochs.get(identity, 0)
        for n in range(start, start + 40):
            match what:
                case 0:
                    self._hello(b"%d" % n, f"stranger {n}", choices.pick(("publisher", "client")))
                case 1:
                    self._receive(identity, wire.encode(wire.RequestMessage(n, "screenshot")))
                case 2:
                    self._receive(
                        identity, wire.encode(wire.RequestMessage(n, "known", {f"l{n}": n}))
                    )
                case 3:
                    layer = LayerSpec(f"layer {n}", "image", options={"colormap": "x" * 900})
                    self._receive(identity, wire.encode(wire.Taps([layer])))
                case 4:
                    trouble = Report("raw", f"reason {n}", "key", "text")
                    count = {f"layer {n}": Tally(1, dropped={f"reason {n}": 1})}
                    self._receive(identity, wire.encode(wire.Status(epoch, count, [trouble])))
                case 5:
                    meta = ItemMeta("raw", "image", {"t": n % 5}, Provenance(f"key {n}", run_id=n))
                    states = ("expected", "running", "failed", "withdrawn")
                    status = TaskStatus(meta, choices.pick(states), "error", "traceback")
                    self._receive(identity, wire.encode(wire.Status(epoch, {}, tasks=[status])))
                case _:
                    self._item(identity, n)

    def _item(self, identity: bytes, n: int) -> None:
        number = self.numbers[identity] = self.numbers.get(identity, 0) + 1
        array = wire.ArrayHeader("data", "|u1", (30, 100), 0, 3000)
        if n % 2:  # items that take no bytes
            array = wire.ArrayHeader("data", "<f8", (0, 2), 0, 0)
        header = wire.ItemHeader(
            n, ItemMeta("raw", "points" if n % 2 else "image", {"t": n}), [array]
        )
        batch = wire.Batch(self.epochs.get(identity, 0), number, [header] * 20, {})
        self._receive(identity, wire.encode(batch), b"" if n % 2 else bytes(3000))

    def _element(self, identity: bytes) -> None:
        """Points, shapes, tracks, vectors or a surface whose arrays fit together, or nearly."""
        choices = self.choices
        self._introduce(identity, "publisher")
        kind = choices.pick(tuple(ELEMENTS))
        arrays, frames, at = [], b"", 0
        for name, array in ELEMENTS[kind].items():
            data = array.tobytes()
            if choices.seldom(3):
                data = choices.mutated(data)[: len(data)].ljust(len(data), b"\xff")
            dtype = (
                choices.pick(("<i8", "<f4", "<U1", "|b1"))
                if choices.seldom(12)
                else array.dtype.str
            )
            shape = choices.pick(((0,), (3,), (1, 2))) if choices.seldom(12) else array.shape
            nbytes = int(np.dtype(dtype).itemsize * np.prod(shape, dtype=int))
            if not choices.seldom(24):
                arrays.append(wire.ArrayHeader(name, dtype, shape, at, nbytes))
            frames += data
            at += len(data)
        header = wire.ItemHeader(1, ItemMeta("el", kind, {"t": choices.below(9)}), arrays)  # type: ignore[arg-type]
        number = self.numbers[identity] = self.numbers.get(identity, 0) + 1
        slot = None
        if self.arena is not None and not self.cut and choices.seldom(3):
            # In the arena's memory, where its owner may write.
            view = np.frombuffer(frames, "u1")
            self.arena.view(arenas.Slot(4096, len(view), 1))[:] = view
            slot = wire.SlotHeader(4096, len(frames), 1)
        batch = wire.Batch(self.epochs.get(identity, 0), number, [header], {}, slot)
        self._receive(identity, wire.encode(batch), frames)

    def _coded(self, identity: bytes) -> None:
        """A compressed array, right or nearly, at once or in parts."""
        choices = self.choices
        self._introduce(identity, "publisher")
        codec: Codec = choices.pick(("zstd", "blosc"))
        array = np.arange(2048, dtype="u2").reshape(32, 64) // (1 + choices.below(64))
        data = encode(codec, array).tobytes()
        if choices.seldom(2):
            data = choices.mutated(data)
        said = choices.pick(("zstd", "blosc", "lzma")) if choices.seldom(12) else codec
        nbytes = choices.pick((0, 1, 1 << 16, 2**53)) if choices.seldom(6) else array.nbytes
        shape = (1, nbytes // 2) if nbytes != array.nbytes else array.shape
        header = wire.ArrayHeader("data", "<u2", shape, 0, nbytes, 0, said, len(data))
        item = wire.ItemHeader(1, ItemMeta("coded", "image", {"t": choices.below(9)}), [header])
        epoch = self.epochs.get(identity, 0)
        ahead: tuple[int, ...] = ()
        if choices.seldom(3):
            cuts = sorted(choices.below(len(data) + 1) for _ in range(choices.below(3)))
            size = choices.pick((0, 2**53, 1 << 15)) if choices.seldom(8) else len(data)
            for start, end in itertools.pairwise([0, *cuts, len(data)]):
                at = choices.pick((0, 2**53, start + 1)) if choices.seldom(12) else start
                number = self.numbers[identity] = self.numbers.get(identity, 0) + 1
                part = wire.encode(wire.PayloadPart(epoch, number, size, at))
                self._receive(identity, part, data[start:end])
            ahead = (
                choices.pick(((), (0,), (2**53,), (1, 2))) if choices.seldom(8) else (len(data),)
            )
        number = self.numbers[identity] = self.numbers.get(identity, 0) + 1
        batch = wire.encode(wire.Batch(epoch, number, [item], {}, None, ahead))
        self._receive(identity, batch, *([] if ahead else [data]))

    def _introduce(self, identity: bytes, role: str) -> None:
        """Say HELLO where it is due, most of the time."""
        known = identity in self.protocol.peers or identity in self.protocol.clients
        if not known and not self.choices.seldom():
            self._hello(identity, f"hostile {identity.decode()}", role)

    def _batch(self, identity: bytes) -> None:
        """A batch that is right but for some of its fields."""
        choices = self.choices
        self._introduce(identity, "publisher")
        choices.wild = False
        dtype = choices.pick(("|u1", "<u2", ">f8", "|b1", "<U1", "|S3", "<c16", "<i4"))
        shape = choices.pick(
            ((4,), (2, 3), (), (0, 2**63), (0,), (1,) * 33, (2**32, 2**32), (16, 16))
        )
        nbytes = int(np.dtype(dtype).itemsize * np.prod([n % 100 for n in shape], dtype=int))
        payload = choices.bytes(nbytes).ljust(nbytes, b"\xff")
        array = wire.ArrayHeader(
            choices.pick(("data", "data", "data", "data", "offsets")),
            dtype,
            shape,
            choices.pick((0, 0, 0, 0, 0, 64, 2**63)),
            choices.pick((nbytes, nbytes, nbytes, nbytes, 0, 2**63)),
            choices.pick((0, 0, 0, 0, 0, 1, 2**31)),
        )
        item = choices.value(inspect.type_info(wire.ItemHeader))
        header = wire.ItemHeader(
            1,
            ItemMeta(
                choices.pick(TEXTS)[:1024] + str(choices.below(8)),
                choices.pick(("image", "labels", "points", "shapes", "surface")),
                {
                    choices.pick(TEXTS)[:1024]: choices.pick(
                        (1, 2, 3, "A", 2.5, float("nan"), 2**64 - 1)
                    )
                },
                origin=choices.pick(((), (), (), (0, 0), (2**40,), (1,))),
                array_shape=choices.pick(((), (), (), (4, 4), (2**40,), (4,))),
                options=choices.pick(({}, {"colormap": "magma"}, {"data": 1})),
            ),
            [array] * (1 + choices.below(3)),
        )
        slot = None
        if choices.seldom(3):
            slot = wire.SlotHeader(
                choices.pick((4096, 4096, 0, 4095, 2**63)), choices.pick((64, 8192, 0, 2**63)), 1
            )
        number = self.numbers[identity] = self.numbers.get(identity, 0) + 1
        batch = wire.Batch(
            self.epochs.get(identity, 0), number, [header] * (1 + choices.below(3)), {}, slot
        )
        plain_batch = msgspec.to_builtins(batch)
        if choices.seldom(4):
            plain_batch["items"].append(item)
        self._receive(identity, packed(plain_batch), payload)

    def _offer(self, identity: bytes) -> None:
        self._introduce(identity, "publisher")
        if self.arena is None:
            self.arena = arenas.Arena.create("fuzz", 1 << 13)
        path = arenas.DIRECTORY / self.arena.name
        size = self.arena.size
        match self.choices.below(6):
            case 0:
                name, size = "../../etc/passwd", 4096
            case 1:
                name, size = self.arena.name, self.choices.pick((0, 1, 2**62, 2**64 - 1))
            case 2:
                name, self.cut = self.arena.name, True
                with open(path, "r+b") as file:
                    file.truncate(self.choices.pick((0, 4096, 5000)))
            case _:
                name = self.arena.name
        offer = wire.Offer(self.epochs.get(identity, 0), name, size)
        self._receive(identity, wire.encode(offer))

    def _take(self) -> None:
        """What the viewer does: look at everything, and say that it is shown."""
        items = self.board.take()
        for item in items:
            for array in (item.data, *item.arrays.values()):
                if array.dtype.kind == "b" and array.size and array.view("u1").max() > 1:
                    raise Finding("a flag that is neither 0 nor 1")
                array.tolist()
            hash(item.place)
            check(item)  # what has been taken out of an arena is what was looked at
        self.board.shown(items)
        for run, status in self.protocol.clients.cluster.take_statuses():
            self.catalogue.learn(status, run)
            repr(status.meta.at)
        while not self.protocol.clients.requests.empty():
            self.protocol.clients.requests.get().fail("no")
        self.protocol.grant()
        self.protocol.expire()

    # -- promises ----------------------------------------------------------------------------

    def _check(self) -> None:
        protocol, limits = self.protocol, LIMITS
        errors = [reason for reason in protocol.rejected if reason.startswith("error:")]
        publishers = list(protocol.publishers)
        held = {
            "peers": (len(protocol.peers), limits.peers),
            "clients": (len(protocol.clients), limits.clients),
            "requests": (protocol.clients.requests.qsize(), limits.requests),
            "layers": (len(protocol.publishers.layers()), limits.layers),
            "known": (len(protocol.clients.known), limits.layers),
            "sources": (len(publishers), limits.publishers),
            # One more, where items of ended publishers are that there was no room for.
            "counts": (_counts(protocol), limits.tallies + 1),
            "troubles": (max(len(s.reports.all()) for s in publishers), REPORTS_LIMIT),
            "reasons": (len(protocol.rejected), REASONS_LIMIT),
            "statuses": (protocol.clients.cluster.nbytes, STATUSES_LIMIT),
            # One message may cross each end of a peer's credit; peers that were given up too.
            "bytes": (
                self.board.nbytes,
                self.board.limit + protocol.epochs * (limits.credit + limits.frame),
            ),
            "items": (
                ITEM_COST * len(self.board),
                self.board.limit + protocol.epochs * (limits.credit << 4),
            ),
        }
        if self.refused:
            raise Finding(f"the good peer was refused: {self.refused}")
        if errors:
            raise Finding(f"an error of ours: {errors}")
        for what, (number, limit) in held.items():
            if number > limit:
                raise Finding(f"{number} {what}, and the limit is {limit}")
        before = self.good
        self._take()
        self._good_item()
        ledger = protocol.publishers.ledger()
        wire.encode(wire.ReplyMessage(1, {"ledger": plain(ledger)}))
        if dict(ledger.layers) != dict(protocol.publishers.sums().layers):
            raise Finding("the sums that are kept differ from those of the ledger's rows")
        good = ledger["good layer"]
        if good.selected < before + 1 or not self._arrived():
            raise Finding(f"the good peer's item did not arrive: {good}")

    def _arrived(self) -> bool:
        return any(
            item.publisher == "good" and item.position["t"] == self.good
            for item in self.board.take()
        )


def _counts(protocol: ReceiverProtocol) -> int:
    added_up = sum(not name for name, _ in protocol.publishers.ledger().tallies)
    return added_up + sum(len(s.layers | s.counts.keys()) for s in protocol.publishers)


def play(data: bytes) -> None:
    """Play one program.

    Raises
    ------
    Finding
        If the receiver broke a promise.
    """
    Game(Choices(data)).play()
