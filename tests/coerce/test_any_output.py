"""Whatever a task returns: an item that receivers and napari take, or a refusal."""

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kind_strategies as strategies
from dask_napari.coerce import coerce_all
from dask_napari.model import Calibration, Refusal, check
from dask_napari.stream.wire import pack, payload_size, unpack
from dask_napari.stream.wire.messages import ItemHeader
from napari_layers import layer_of

calibrations = st.sampled_from(
    [None, Calibration(scale=(0.5,)), Calibration(scale=(1.0, 2.0), units=("um", "um"))]
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(strategies.outputs, strategies.kinds, calibrations, st.sampled_from([{}, {"t": 1}]))
@pytest.mark.filterwarnings("ignore")
def test_coercion_makes_only_what_a_receiver_takes(value, kind, calibration, position):
    with np.errstate(all="ignore"):
        found = coerce_all(value, kind=kind, calibration=calibration, position=position)
    assert isinstance(found, list)
    slots = []
    for item in found:
        if isinstance(item, Refusal):
            assert not item.reason.startswith("error"), repr(item.__cause__)
            continue
        slots.append(item.place)
        check(item)
        slot = np.empty(payload_size([item]), np.uint8)
        (header,) = pack([item], slot)
        header = msgspec.msgpack.decode(msgspec.msgpack.encode(header), type=ItemHeader)
        again = check(unpack(header, [slot], ""))
        again.amend(options={})  # whatever was drawn
        if again.kind != "shapes":  # vispy fails on some polygons that cross themselves
            layer_of(again)
    assert len(set(slots)) == len(slots)
