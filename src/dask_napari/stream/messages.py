"""The wire: every message between a publisher, a receiver and a client, and their limits.

Messages are msgspec structs in msgpack, one per ZeroMQ message, in its first frame; a `Batch`
may be followed by payload frames. Nothing is ever unpickled. The exchange of a publisher:

    HELLO -> WELCOME, OFFER -> PROBE, TAPS, then BATCH ... <- CREDIT ..., BYE -> BYE_ACK

On a slow link the payload of a batch goes ahead of it in PARTs, each acknowledged by a CREDIT, so
that neither side is silent for long and no PING waits behind a large array.

PING -> PONG keeps an idle connection known to be alive. A receiver answers REFUSED where it
will not talk, and to a peer that it does not know (it was restarted); the latter says HELLO
again. A client says HELLO, then REQUEST -> REPLY.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeVar

import msgspec

from dask_napari.stream.item import AxisMode, Coordinate, Kind, Layout, Sizes

WIRE_VERSION: Final = 2
"""Raised when a change cannot be read by the older side; new optional fields do not raise it."""

HEADER_LIMIT: Final = 4 << 20
"""Bytes of a first frame. A full batch of 64 items with long keys takes some 30 KB."""

NAME_LIMIT: Final = 1024
"""Characters of a layer, axis or publisher name: a label for people, not data."""

Name = str


class ArrayHeader(msgspec.Struct, frozen=True, array_like=True):
    """Where one array of an item lies in the payload.

    ``frame`` counts the payload frames of an inline batch; a slot of the arena is frame 0.
    ``nbytes`` is the size of the array. With a ``codec`` it lies there in ``stored`` bytes, and
    ``nbytes`` is what they decode to.
    """

    name: Name
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int
    frame: int = 0
    codec: str = ""
    stored: int = 0

    @property
    def taken(self) -> int:
        """Bytes that the array takes in the payload."""
        return self.stored if self.codec else self.nbytes


class ItemHeader(msgspec.Struct, frozen=True, array_like=True):
    """An item without its arrays. ``calibration`` is (axes, scale, translate, units)."""

    seq: int
    layer: Name
    kind: Kind
    position: dict[Name, Coordinate]
    arrays: list[ArrayHeader]
    key: str = ""
    worker: str = ""
    run_id: int = 0
    start: float = 0.0
    stop: float = 0.0
    rgb: bool = False
    axes: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    translate: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    origin: tuple[int, ...] = ()
    whole: tuple[int, ...] = ()
    part: str = ""
    options: dict[str, Any] = {}


class SlotHeader(msgspec.Struct, frozen=True, array_like=True):
    """A slot of the arena of this connection."""

    offset: int
    nbytes: int
    generation: int


class Count(msgspec.Struct, frozen=True, array_like=True):
    """A publisher's side of the ledger for one layer, complete at the moment it was written.

    ``selected = sent + coalesced + sum(dropped) + queued``.
    """

    layer: Name
    selected: int
    sent: int
    coalesced: int
    dropped: dict[str, int]
    queued: int


class LayerHeader(msgspec.Struct, frozen=True):
    """A :class:`~dask_napari.stream.item.LayerSpec` on the wire."""

    name: Name
    kind: Kind
    axes: dict[Name, AxisMode] = {}
    options: dict[str, Any] = {}
    layouts: dict[Name, Layout] = {}
    sizes: Sizes = "pad"
    fill: float = 0.0


class Message(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Base of all messages."""


class Hello(Message, tag="HELLO", frozen=True):
    """Who is calling. ``name`` stays the same over reconnections; ``token`` is the password."""

    wire: int
    software: str
    role: Literal["publisher", "client"]
    name: Name
    token: str = ""
    host: str = ""
    pid: int = 0


class Welcome(Message, tag="WELCOME", frozen=True):
    """The receiver takes the caller on.

    ``instance`` names this run of the receiver, ``received`` is the number of the last item it
    has from this publisher, ``credit`` the bytes that may be sent, ``heartbeat`` the seconds
    between signs of life. ``arena`` is the size above which an arena is not wanted, if not 0.
    """

    wire: int
    software: str
    instance: str
    epoch: int
    received: int
    credit: int
    heartbeat: float
    arena: int = 0


class Refused(Message, tag="REFUSED", frozen=True):
    """The receiver does not talk to this peer; with ``again`` it may say HELLO."""

    reason: str
    again: bool = False


class Offer(Message, tag="OFFER", frozen=True):
    """The publisher offers an arena under the name that it has for a moment."""

    epoch: int
    name: str
    size: int


class Probe(Message, tag="PROBE", frozen=True):
    """The token that the receiver read in the arena, or why it could not."""

    epoch: int
    token: bytes = b""
    error: str = ""


class Taps(Message, tag="TAPS", frozen=True):
    """The layers that the taps of a publisher fill, before any item."""

    layers: list[LayerHeader]


class Batch(Message, tag="BATCH", frozen=True):
    """Items, in order. ``number`` counts the batches and parts of a connection from 1.

    ``frames`` are the sizes of its payload frames, if they went ahead in parts.
    """

    epoch: int
    number: int
    items: list[ItemHeader]
    counts: list[Count]
    slot: SlotHeader | None = None
    frames: tuple[int, ...] = ()

    @property
    def expansion(self) -> int:
        """Bytes by which decoding makes the payload larger; they cost credit, too."""
        arrays = (array for item in self.items for array in item.arrays)
        return sum(max(0, array.nbytes - array.stored) for array in arrays if array.codec)


class Part(Message, tag="PART", frozen=True):
    """A piece of the payload of the next batch: the bytes from ``offset`` on, of ``size``."""

    epoch: int
    number: int
    size: int
    offset: int


class Credit(Message, tag="CREDIT", frozen=True):
    """All up to number ``acknowledged`` is copied out; ``nbytes`` more may be sent."""

    epoch: int
    acknowledged: int
    nbytes: int


class Status(Message, tag="STATUS", frozen=True):
    """The publisher's counts, when they change without a batch."""

    epoch: int
    counts: list[Count]


class Want(Message, tag="WANT", frozen=True):
    """The receiver asks for what is still in memory on the worker."""


class Ping(Message, tag="PING", frozen=True):
    """Sign of life of a publisher."""

    epoch: int


class Pong(Message, tag="PONG", frozen=True):
    """Answer to a ping."""

    epoch: int


class Bye(Message, tag="BYE", frozen=True):
    """The publisher ends; nothing follows."""

    epoch: int
    counts: list[Count]


class ByeAck(Message, tag="BYE_ACK", frozen=True):
    """The receiver has all that came before the BYE."""

    epoch: int


class Request(Message, tag="REQUEST", frozen=True):
    """A client asks something of the viewer."""

    id: int
    name: str
    arguments: dict[str, Any] = {}


class Reply(Message, tag="REPLY", frozen=True):
    """The answer to a request, or why there is none."""

    id: int
    result: dict[str, Any] = {}
    error: str = ""


FromPublisher = Hello | Offer | Taps | Part | Batch | Status | Ping | Bye | Request
"""What a receiver may get."""

FromReceiver = Welcome | Refused | Probe | Credit | Want | Pong | ByeAck | Reply
"""What a publisher or client may get."""

_encoder = msgspec.msgpack.Encoder()
_from_publisher: msgspec.msgpack.Decoder[FromPublisher] = msgspec.msgpack.Decoder(FromPublisher)
_from_receiver: msgspec.msgpack.Decoder[FromReceiver] = msgspec.msgpack.Decoder(FromReceiver)


class MalformedMessage(ValueError):
    """A message that is not of the wire; its text names the reason, never the content."""


def encode(message: Message) -> bytes:
    """Encode a message for a first frame.

    Examples
    --------
    >>> decode_from_publisher(encode(Ping(epoch=3)))
    Ping(epoch=3)
    """
    return _encoder.encode(message)


_T = TypeVar("_T")


def _decode(decoder: msgspec.msgpack.Decoder[_T], frame: bytes | memoryview) -> _T:
    if len(frame) > HEADER_LIMIT:
        raise MalformedMessage(f"header of more than {HEADER_LIMIT} bytes")
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage("header that does not decode") from error


def decode_from_publisher(frame: bytes | memoryview) -> FromPublisher:
    """Decode what a publisher or client sent.

    Raises
    ------
    MalformedMessage
        If the frame is too large, not msgpack, or of no known type.
    """
    return _decode(_from_publisher, frame)


def decode_from_receiver(frame: bytes | memoryview) -> FromReceiver:
    """Decode what a receiver sent.

    Raises
    ------
    MalformedMessage
        If the frame is too large, not msgpack, or of no known type.
    """
    return _decode(_from_receiver, frame)
