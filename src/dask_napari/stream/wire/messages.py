"""The wire: every message between a publisher, a receiver and a client, and their limits.

Messages are msgspec structs in msgpack, one per ZeroMQ message, in its first frame; a `Batch`
may be followed by payload frames. Nothing is ever unpickled. The protocol of a publisher:

    HELLO -> WELCOME, OFFER -> PROBE, TAPS, then BATCH ... <- CREDIT ..., BYE -> BYE_ACK

On a slow link the payload of a batch goes ahead of it in PARTs, each acknowledged by a CREDIT, so
that neither side is silent for long and no PING waits behind a large array; and so does what is
larger than a message may be.

PING -> PONG keeps an idle connection known to be alive. A receiver answers REFUSED where it
will not talk, and to a peer that it does not know (it was restarted); the latter says HELLO
again. A client says HELLO, then REQUEST -> REPLY.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta

from dask_napari.model import (
    REPORTS_LIMIT,
    ItemMeta,
    LayerSpec,
    Name,
    Natural,
    PlainValue,
    Report,
    Shape,
    Tally,
    TapMatches,
    TaskStatus,
)
from dask_napari.stream.wire._foreign_messages import (
    UNDECODABLE,
    Bytes,
    MalformedMessage,
    unreadable,
)

WIRE_VERSION: Final = 4
"""Raised when a change cannot be read by the older side; new optional fields do not raise it."""

HEADER_LIMIT: Final = 4 << 20
"""Bytes of a first frame. A full batch of 64 items with long keys takes some 30 KB."""

REPLY_LIMIT: Final = 256 << 20
"""Bytes of what a viewer says: a picture of a large window is an answer, and so is the ledger of
many workers with many layers."""

ARRAYS_LIMIT: Final = 1024
"""Arrays of one item: the data and a column for each of its features."""

ITEMS_LIMIT: Final = 1024
"""Items of a batch; a publisher sends 64."""

FRAMES_LIMIT: Final = 1 + ITEMS_LIMIT * 64
"""Payload frames of a batch: the small arrays together, and each large one."""

LAYERS_LIMIT: Final = 4096
"""Layers, or counts of them, in one message."""

TASKS_LIMIT: Final = 1024
"""States of tasks in one message; a worker tells few of them, a few times a second."""

SHORT_LIMIT: Final = 4096
"""Characters of a token, a segment's name or an explanation."""

Short = Annotated[str, Meta(max_length=SHORT_LIMIT)]


class ArrayHeader(msgspec.Struct, frozen=True, array_like=True):
    """Place of one array of an item in the payload.

    ``frame`` counts the payload frames of an inline batch; a slot of the arena is frame 0.
    ``nbytes`` is the size of the array. With a ``codec`` it lies there in ``stored`` bytes, and
    ``nbytes`` is what they decode to.
    """

    name: Name
    dtype: Name
    shape: Shape
    offset: Natural
    nbytes: Natural
    frame: Natural = 0
    codec: Name = ""
    stored: Natural = 0

    @property
    def taken(self) -> int:
        """Bytes that the array takes in the payload."""
        return self.stored if self.codec else self.nbytes


class ItemHeader(msgspec.Struct, frozen=True, array_like=True):
    """An item on the wire: its number, its metadata and where its arrays are."""

    seq: Natural
    meta: ItemMeta
    arrays: Annotated[list[ArrayHeader], Meta(max_length=ARRAYS_LIMIT)]


class SlotHeader(msgspec.Struct, frozen=True, array_like=True):
    """A slot of the arena of this connection."""

    offset: Natural
    nbytes: Natural
    generation: Natural


Counts = Annotated[dict[Name, Tally], Meta(max_length=LAYERS_LIMIT)]
"""A publisher's side of the ledger by layer, complete at the moment it was written."""


class Message(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Base of all messages."""


class Hello(Message, tag="HELLO", frozen=True):
    """Who is calling. ``name`` stays the same over reconnections; ``token`` is the password.

    Publishers of one ``group``, such as a sink on all workers, fill one run.

    In every version of the wire it is a mapping with the fields ``type``, ``wire``, ``software``
    and ``name``: any side must be able to tell any other which of them to upgrade.
    """

    wire: int
    software: Name
    role: Literal["publisher", "client"]
    name: Name
    token: Short = ""
    host: Name = ""
    group: Name = ""


class Welcome(Message, tag="WELCOME", frozen=True):
    """The receiver takes the caller on.

    ``instance`` names what the receiver knows of this publisher: another one, as from another
    receiver, means that it knows nothing. ``received`` is the number of the last item it
    has from this publisher, ``credit`` the bytes that may be sent, ``heartbeat`` the seconds
    between signs of life, ``frame`` the bytes of the largest frame it takes, ``arena`` those of the
    largest arena that it wants, 0 if it does not care. In every version of the wire it has the
    fields ``type``, ``wire`` and ``software``.
    """

    wire: int
    software: Name
    instance: Name
    epoch: int
    received: int
    credit: int
    heartbeat: float
    frame: int = 4 << 30
    arena: Natural = 0


class Refused(Message, tag="REFUSED", frozen=True):
    """The receiver does not talk to this peer; with ``again`` it may say HELLO.

    In every version of the wire it has the fields ``type`` and ``reason``.
    """

    reason: str
    again: bool = False


class Offer(Message, tag="OFFER", frozen=True):
    """The publisher offers an arena under the name that it has for a moment."""

    epoch: int
    name: Short
    size: Natural


class Probe(Message, tag="PROBE", frozen=True):
    """The token that the receiver read in the arena, or why it could not."""

    epoch: int
    token: bytes = b""
    error: str = ""


class Taps(Message, tag="TAPS", frozen=True):
    """The layers that the taps of a publisher fill, before any item."""

    layers: Annotated[list[LayerSpec], Meta(max_length=LAYERS_LIMIT)]


class Batch(Message, tag="BATCH", frozen=True):
    """Items, in order. ``number`` counts the batches and parts of a connection from 1.

    ``frames`` are the sizes of its payload frames, if they went ahead in parts.
    """

    epoch: int
    number: int
    items: Annotated[list[ItemHeader], Meta(max_length=ITEMS_LIMIT)]
    counts: Counts
    slot: SlotHeader | None = None
    frames: Annotated[tuple[Natural, ...], Meta(max_length=FRAMES_LIMIT)] = ()

    @property
    def expansion(self) -> int:
        """Bytes by which decoding makes the payload larger; they cost credit, too."""
        arrays = (array for item in self.items for array in item.arrays)
        return sum(max(0, array.nbytes - array.stored) for array in arrays if array.codec)


class PayloadPart(Message, tag="PART", frozen=True):
    """A piece of the payload of the next batch: the bytes from ``offset`` on, of ``size``."""

    epoch: int
    number: int
    size: Natural
    offset: Natural


class Credit(Message, tag="CREDIT", frozen=True):
    """All up to number ``acknowledged`` is copied out; ``nbytes`` more may be sent.

    ``publishers`` share the receiver at present.
    """

    epoch: int
    acknowledged: int
    nbytes: int
    publishers: Natural = 1


class Status(Message, tag="STATUS", frozen=True):
    """The publisher's counts, reports and matches of taps, when they change without a batch.

    And the states of tasks whose outputs are no items yet.
    """

    epoch: int
    counts: Counts
    reports: Annotated[list[Report], Meta(max_length=REPORTS_LIMIT)] = []
    taps: TapMatches | None = None
    tasks: Annotated[list[TaskStatus], Meta(max_length=TASKS_LIMIT)] = []


class Ping(Message, tag="PING", frozen=True):
    """Sign of life of a publisher."""

    epoch: int


class Pong(Message, tag="PONG", frozen=True):
    """Answer to a ping."""

    epoch: int


class Bye(Message, tag="BYE", frozen=True):
    """The publisher ends; nothing follows."""

    epoch: int
    counts: Counts


class ByeAck(Message, tag="BYE_ACK", frozen=True):
    """The receiver has all that came before the BYE."""

    epoch: int


class RequestMessage(Message, tag="REQUEST", frozen=True):
    """A client asks something of the viewer."""

    id: int
    name: Name
    arguments: dict[Name, PlainValue] = {}


class ReplyMessage(Message, tag="REPLY", frozen=True):
    """The answer to a request, or why there is none."""

    id: int
    result: dict[str, Any] = {}
    error: str = ""


FromPublisher = Hello | Offer | Taps | PayloadPart | Batch | Status | Ping | Bye | RequestMessage
"""Messages that a receiver may get."""

FromReceiver = Welcome | Refused | Probe | Credit | Pong | ByeAck | ReplyMessage
"""Messages that a publisher or client may get."""

_encoder = msgspec.msgpack.Encoder()
_from_publisher: msgspec.msgpack.Decoder[FromPublisher] = msgspec.msgpack.Decoder(FromPublisher)
_from_receiver: msgspec.msgpack.Decoder[FromReceiver] = msgspec.msgpack.Decoder(FromReceiver)


_T = TypeVar("_T")


def encode(message: Message) -> bytes:
    """Encode a message for a first frame.

    >>> decode_from_publisher(encode(Ping(epoch=3)))
    Ping(epoch=3)
    """
    return _encoder.encode(message)


def _decode(
    decoder: msgspec.msgpack.Decoder[_T], known: frozenset[str], frame: Bytes, limit: int
) -> _T:
    if len(frame) > limit:
        raise MalformedMessage(f"header of more than {limit} bytes")
    try:
        return decoder.decode(frame)
    except UNDECODABLE as error:
        raise unreadable(frame, known, WIRE_VERSION) from error


def _tags(messages: object) -> frozenset[str]:
    return frozenset(t.__struct_config__.tag for t in get_args(messages))


_PUBLISHERS: Final = _tags(FromPublisher)
_RECEIVERS: Final = _tags(FromReceiver)


def decode_from_publisher(frame: Bytes) -> FromPublisher:
    """Decode a message of a publisher or client, or raise :class:`MalformedMessage`."""
    return _decode(_from_publisher, _PUBLISHERS, frame, HEADER_LIMIT)


def decode_from_receiver(frame: Bytes) -> FromReceiver:
    """Decode a message of a receiver, or raise :class:`MalformedMessage`."""
    return _decode(_from_receiver, _RECEIVERS, frame, REPLY_LIMIT)
