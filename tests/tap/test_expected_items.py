"""Where the items of a task will be, before there is an output."""

from __future__ import annotations

import pytest

from dask_napari.model import Provenance
from dask_napari.placement import ChunkGrid
from dask_napari.tap import Tap, expected_items

TASK = Provenance("task", "w", 3)


def positions(tap: Tap, key="task", args=()) -> list[dict]:
    return [dict(meta.position) for meta in expected_items(tap.compile(), key, TASK, args)]


def test_patterns_read_arguments_and_keys():
    tap = Tap("read", at="{well}_s{field:d}")
    assert positions(tap, args=("/data/A01_s3.tif",)) == [{"well": "A01", "field": 3}]
    assert positions(tap, key=("read", "B02_s1")) == [{"well": "B02", "field": 1}]
    (meta,) = expected_items(Tap("read", "labels", at={"t": 3}).compile(), "k", TASK)
    assert (meta.layer, meta.kind, meta.position, meta.provenance) == (
        "read",
        "labels",
        {"t": 3},
        TASK,
    )


@pytest.mark.parametrize(
    "tap",
    [
        Tap("read"),
        Tap("read", at=lambda key, value, args: 1 / 0),
        Tap("read", at="{well}_s{field:d}"),
        Tap("read", at={"t": 1, "y": slice(0, 10), "x": slice(0, 10)}),
    ],
)
def test_a_place_that_only_the_output_tells_stays_open(tap):
    assert positions(tap) == [{}]


def test_chunks_have_origins_and_all_positions_of_axes_that_are_sliders():
    sizes, split = ((2, 2), (8,), (8, 8)), ((0, (0, 1, 2, 3)),)
    tap = Tap(ChunkGrid("stack", sizes, ("t", "y", "x"), split)).compile()
    found = expected_items(tap, ("stack", 1, 0, 1), TASK)
    assert [(meta.position, meta.origin, meta.array_shape) for meta in found] == [
        ({"t": t}, (0, 8), (8, 16)) for t in (2, 3)
    ]
