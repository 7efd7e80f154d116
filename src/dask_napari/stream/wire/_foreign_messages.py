"""First frames that are not a message of this version of the wire."""

from __future__ import annotations

from collections.abc import Set
from typing import Final, TypeVar

import msgspec

from dask_napari.model import Name

Bytes = bytes | memoryview

SHOWN: Final = 100
"""Characters of what a peer wrote that are shown to people."""

UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Errors of msgspec where bytes are not what they should be."""

_T = TypeVar("_T")


class _Envelope(msgspec.Struct):
    """Fields of messages in every version of the wire; values are read one by one."""

    type: Name
    wire: msgspec.Raw = msgspec.Raw()
    software: msgspec.Raw = msgspec.Raw()
    name: msgspec.Raw = msgspec.Raw()
    reason: msgspec.Raw = msgspec.Raw()


_envelope: msgspec.msgpack.Decoder[_Envelope] = msgspec.msgpack.Decoder(_Envelope)


class MalformedMessage(ValueError):
    """A first frame that is too large, not msgpack, or not a known message.

    Its text names the reason, never the content.
    """


class ForeignMessage(MalformedMessage):
    """A message of another version of the wire, as far as it can be read."""

    def __init__(self, envelope: _Envelope) -> None:
        super().__init__("message of an unknown type or version")
        self.type: str = envelope.type[:SHOWN]
        self.wire: int | None = _read(envelope.wire, int)
        self.software: str = _shown(envelope.software)
        self.name: str = _shown(envelope.name)
        self.reason: str = _shown(envelope.reason)


def unreadable(frame: Bytes, known: Set[str], version: int) -> MalformedMessage:
    """Return what a frame is that does not decode: a message of another version, or rubbish.

    ``known`` are the types of messages that were expected, of this ``version``.
    """
    try:
        envelope = _envelope.decode(frame)
    except UNDECODABLE:
        return MalformedMessage("header that does not decode")
    foreign = ForeignMessage(envelope)
    other = foreign.wire not in (None, version)
    if other or _read(envelope.reason, str) is not None or envelope.type not in known:
        return foreign
    return MalformedMessage("header that does not decode")


def _read(value: msgspec.Raw, wanted: type[_T]) -> _T | None:
    """Return a value of a message of any version; None if it is of another type, or missing."""
    try:
        return msgspec.msgpack.decode(value, type=wanted)
    except UNDECODABLE:
        return None


def _shown(value: msgspec.Raw) -> str:
    return (_read(value, str) or "")[:SHOWN]
