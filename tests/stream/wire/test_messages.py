"""Only messages of the wire get in."""

from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.model import LayerSpec, Tally
from dask_napari.stream.wire import MalformedMessage
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
        except MalformedMessage:
            continue
        assert isinstance(message, wire.Message)


def test_a_frame_that_is_too_large_is_not_decoded():
    with pytest.raises(MalformedMessage, match="more than"):
        wire.decode_from_publisher(bytes(wire.HEADER_LIMIT + 1))


def test_fields_of_a_later_version_are_passed_over():
    hello = msgspec.to_builtins(wire.Hello(2, "9.9", "publisher", "w")) | {"news": 1}
    found = wire.decode_from_publisher(msgspec.msgpack.encode(hello))
    assert isinstance(found, wire.Hello)
    assert found.wire == 2


def test_the_other_side_s_messages_are_not_taken():
    with pytest.raises(MalformedMessage):
        wire.decode_from_publisher(wire.encode(wire.Pong(1)))


def _pairs_of_one_hash(count):
    """Pairs of numbers whose hashes are equal, by the constants of CPython's tuples (xxHash)."""
    first, second, seed, size = (
        *(11400714785074694791, 14029467366897019727, 2870177450012600261),
        1 << 64,
    )
    inverse, found, a = pow(second, -1, size), [], 0
    while len(found) < count:
        a += 1
        mixed = (seed + a * second) % size
        mixed = (mixed << 31 | mixed >> 33) * first % size
        b = (12345 - mixed) * inverse % size
        b -= size if b >> 63 else 0
        if abs(b) < 2**61 - 1 and b != -1:
            found.append((a, b))
    assert len({hash(pair) for pair in found}) == 1
    return found


@pytest.mark.parametrize("field", ["arguments", "options", "software"])
def test_keys_that_are_chosen_to_collide_do_not_hold_up_the_receiver(field):
    encode = msgspec.msgpack.encode
    slow = b"\xde" + (20_000).to_bytes(2, "big")
    slow += b"".join(encode(pair) + b"\xc0" for pair in _pairs_of_one_hash(20_000))
    option = b"\x81" + encode("a") + slow
    layer = b"\x83" + encode("name") + encode("a") + encode("kind") + encode("image")
    frame = {
        "arguments": b"\x84"
        + b"".join(map(encode, ("type", "REQUEST", "id", 1, "name", "x", "arguments")))
        + option,
        "options": b"\x82"
        + b"".join(map(encode, ("type", "TAPS", "layers")))
        + (b"\x91" + layer + encode("options") + option),
        "software": b"\x82" + b"".join(map(encode, ("type", "NEW", "software"))) + slow,
    }[field]
    began = time.process_time()
    with pytest.raises(MalformedMessage):
        wire.decode_from_publisher(frame)
    assert time.process_time() - began < 1.0
