"""Requests of clients for the data behind layers, as the viewer answers them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from dask_napari.model import Item, ItemDescription, LayerSpec
from dask_napari.viewer.app import _data_requests
from dask_napari.viewer.app._data_requests import DataRequests


@pytest.fixture
def ask(live):
    requests = DataRequests(live.layers)
    return lambda name, **arguments: requests.answers[name](arguments)


def frame(t: int, value: int = 0, **position) -> Item:
    return Item("raw", "image", np.full((4, 5), value or t, np.uint8), {"t": t, **position})


def described(answer) -> list[ItemDescription]:
    return [msgspec.msgpack.decode(each, type=ItemDescription) for each in answer["items"]]


def test_a_list_stays_as_it_was(ask, put):
    put(frame(1), frame(2))
    found = ask("list", layer="raw")
    assert (found["count"], found["axes"]) == (2, ["t"])
    put(frame(1, value=9), frame(3))
    items = described(ask("page", list=found["list"], start=0))
    assert [each.meta.position for each in items] == [{"t": 1}, {"t": 2}]
    part = ask("read", list=found["list"], item=0, array="data", start=0)
    assert part == {"bytes": b"\1" * 20, "nbytes": 20}
    again = ask("list", layer="raw")
    assert again["count"] == 3
    assert ask("read", list=again["list"], item=0, array="data", start=15)["bytes"] == b"\x09" * 5


def test_layers_of_one_stream_are_one_list_whatever_their_layout(ask, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", {"channel": "layer", "well": "mosaic"})
    put(*(frame(1, channel=c, well=w) for c in ("DAPI", "GFP") for w in ("A01", "A02")))
    assert ask("layers") == {"layers": ["raw"]}
    found = ask("list", layer="raw")
    places = [each.meta.position for each in described(ask("page", list=found["list"], start=0))]
    assert {(at["channel"], at["well"], at["t"]) for at in places} == {
        (c, w, 1) for c in ("DAPI", "GFP") for w in ("A01", "A02")
    }


def test_answers_and_lists_are_bounded(ask, put, monkeypatch):
    put(*(frame(t) for t in range(1, 6)))
    monkeypatch.setattr(_data_requests, "PART_BYTES", 16)
    first = ask("list", layer="raw")["list"]
    assert len(ask("page", list=first, start=0)["items"]) < 5
    assert len(ask("read", list=first, item=0, array="data", start=0)["bytes"]) == 16
    for _ in range(_data_requests.LISTS_KEPT):
        ask("list", layer="raw")
    with pytest.raises(ValueError, match="no longer; ask for the layer"):
        ask("page", list=first, start=0)
    monkeypatch.setattr(_data_requests, "ITEMS_LIMIT", 4)
    with pytest.raises(ValueError, match="'raw' has more than 4 items"):
        ask("list", layer="raw")
    with pytest.raises(ValueError, match=r"no layer 'cells'; there are: 'raw'"):
        ask("list", layer="cells")
