"""Which taps are in force after changes, and how many items they announce."""

from __future__ import annotations

import pytest

from dask_napari.live._active_taps import ActiveTaps
from dask_napari.sink import tapped
from dask_napari.tap import Tap

FRAMES, CELLS = Tap("frame"), Tap("segment", kind="labels")


def test_changes_make_another_value_and_keep_the_names_of_the_others():
    none = ActiveTaps()
    one = none.added([FRAMES])
    two = one.added([CELLS])
    assert [*none] == []
    assert [*one] == [FRAMES]
    assert [*two] == [FRAMES, CELLS]
    assert one.named.keys() < two.named.keys()
    assert [*two.without([FRAMES])] == [CELLS]


def test_the_very_tap_is_taken_away_and_not_its_equal():
    taps = ActiveTaps().added([FRAMES, Tap("frame")])
    (left,) = taps.without([FRAMES])
    assert left is not FRAMES
    with pytest.raises(ValueError, match="'frame' is not active"):
        taps.without([Tap("frame")])


def test_an_array_that_is_watched_again_has_one_tap_a_layer():
    da = pytest.importorskip("dask.array")
    array = da.zeros((8, 8), chunks=4, name="zeros")
    taps = ActiveTaps().added([FRAMES])
    for options in ({}, {"policy": "keep"}, {"layer": "copy"}):
        _, found = tapped(array, **options)
        taps = taps.with_watched(found)
    assert [(tap.layer, tap.policy) for tap in taps] == [
        ("frame", "latest"),
        ("zeros", "keep"),
        ("copy", "latest"),
    ]


def test_what_is_expected_is_what_chunks_and_names_say():
    da = pytest.importorskip("dask.array")
    asked = []

    def count(names):
        asked.append(names)
        return {"frame": 7, "other": 1}

    array = Tap(da.zeros((8, 8), chunks=4, name="zeros"))
    assert ActiveTaps().added([array, Tap(lambda key: True)]).expected(count) == {"zeros": 4}
    assert not asked
    taps = ActiveTaps().added([array, FRAMES, Tap("other", layer="frame"), Tap("unknown")])
    assert taps.expected(count) == {"zeros": 4, "frame": 8}
    assert asked == [["frame", "other", "unknown"]]
