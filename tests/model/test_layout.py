"""Layouts of axes: numbers beyond any mosaic are refused, whoever states them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dask_napari.model import LayerSpec, Layout
from dask_napari.stream.wire import MalformedMessage
from dask_napari.stream.wire import messages as wire

NAN = float("nan")
FITTING = LayerSpec("raw", "image", layouts={"well": Layout(plate=96, places={"A01": (0.0, 1e6)})})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("plate", 10**12),
        ("plate", -96),
        ("rows", 2**62),
        ("columns", -1),
        ("gutter", 1e300),
        ("gutter", NAN),
        ("gutter", -0.5),
        ("places", {"A01": (0.0, 1e308)}),
        ("places", {"A01": (NAN, 0.0)}),
    ],
)
def test_numbers_beyond_any_mosaic_are_refused_at_the_call_and_on_the_wire(field: str, value: Any):
    with pytest.raises(ValueError, match="give"):
        Layout(**{field: value})
    message = msgspec.msgpack.decode(wire.encode(wire.Taps([FITTING])))
    decode = wire.decode_from_publisher
    assert decode(msgspec.msgpack.encode(message)) == wire.Taps([FITTING])
    message["layers"][0]["layouts"]["well"][field] = value
    with pytest.raises(MalformedMessage) as refused:
        decode(msgspec.msgpack.encode(message))
    assert "A01" not in str(refused.value)
    assert str(value) not in str(refused.value)
