"""Only messages of the wire get in."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.model import LayerSpec, Tally
from dask_napari.stream.wire import messages as wire


@pytest.mark.parametrize(
    "message",
    [
        wire.Hello(1, "0.1", "publisher", "w"),
        wire.Offer(1, "dask-napari-0-x", 64),
        wire.Taps([LayerSpec("a", "labels", {"well": "slider"})]),
        wire.Batch(1, 2, [], {"a": Tally(1, dropped={"full": 1})}, wire.SlotHeader(0, 1, 2)),
        wire.Bye(1, {}),
        wire.RequestMessage(1, "ledger"),
    ],
)
def test_messages_survive_the_way(message):
    assert wire.decode_from_publisher(wire.encode(message)) == message


@given(st.binary(max_size=200))
def test_random_bytes_are_malformed_or_messages(data):
    for decode in (wire.decode_from_publisher, wire.decode_from_receiver):
        try:
            message = decode(data)
        except wire.MalformedMessage:
            continue
        assert isinstance(message, wire.Message)


def test_a_frame_that_is_too_large_is_not_decoded():
    with pytest.raises(wire.MalformedMessage, match="more than"):
        wire.decode_from_publisher(bytes(wire.HEADER_LIMIT + 1))


def test_fields_of_a_later_version_are_passed_over():
    hello = msgspec.to_builtins(wire.Hello(2, "9.9", "publisher", "w")) | {"news": 1}
    found = wire.decode_from_publisher(msgspec.msgpack.encode(hello))
    assert isinstance(found, wire.Hello)
    assert found.wire == 2


def test_the_other_side_s_messages_are_not_taken():
    with pytest.raises(wire.MalformedMessage):
        wire.decode_from_publisher(wire.encode(wire.Pong(1)))
