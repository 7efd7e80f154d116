"""Items of every kind reach the board of a receiver as they were made."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dask_napari.coerce import coerce
from dask_napari.model import KINDS
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher

TRACKS = pd.DataFrame(
    {"track_id": [1, 1, 2], "frame": [0, 1, 1], "y": [1, 2, 3], "x": [4, 5, 6], "parent": [0, 0, 1]}
)
CORNERS = [[0, 0], [0, 1], [1, 0]]
OUTPUTS = {
    "image": np.random.default_rng(0).normal(size=(50, 60)),
    "labels": (np.eye(4, dtype=int), {"label": [1], "name": ["diagonal"]}),
    "points": pd.DataFrame({"y": [1.5], "x": [2.5], "name": ["\N{GREEK SMALL LETTER MU}m"]}),
    "shapes": [(CORNERS, "polygon"), ([[0, 0], [2, 3]], "ellipse")],
    "tracks": TRACKS,
    "vectors": np.ones((3, 4, 2), "f4"),
    "surface": (np.eye(3), [[0, 1, 2]], [0.1, 0.2, 0.3]),
}
EMPTY = {"points": [], "shapes": [], "tracks": TRACKS[:0], "vectors": [], "surface": ([], [])}


@pytest.mark.parametrize("transport", ["auto", "inline"])
def test_every_kind_arrives_as_it_was_made(transport):
    items = [coerce(OUTPUTS[kind], kind=kind, layer=kind, position={"n": 0}) for kind in KINDS]
    items += [
        coerce(value, kind=kind, layer=f"no {kind}", position={"n": 0})
        for kind, value in EMPTY.items()
    ]
    board = Board()
    arrived = {}
    with (
        Receiver("tcp://127.0.0.1:*", board) as receiver,
        Publisher(receiver.addresses, name=f"kinds-{transport}", transport=transport) as publisher,
    ):
        for item in items:
            publisher.put(item)
        while len(arrived) < len(items) and board.wait(timeout=30):
            arrived |= {item.layer: item for item in board.take()}
    assert set(arrived) == {item.layer for item in items}
    for item in items:
        found = arrived[item.layer]
        assert (found.kind, found.calibration, found.rgb) == (item.kind, item.calibration, item.rgb)
        assert found.data.dtype == item.data.dtype
        np.testing.assert_array_equal(found.data, item.data)
        assert found.arrays.keys() == item.arrays.keys()
        for name, array in item.arrays.items():
            assert found.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(found.arrays[name], array)
