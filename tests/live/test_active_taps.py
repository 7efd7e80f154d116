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


def test_a_tap_is_taken_away_by_its_equal():
    taps = ActiveTaps().added([FRAMES, CELLS])
    assert [*taps.without([Tap("frame")])] == [CELLS]
    with pytest.raises(ValueError, match="'raw' is not active"):
        taps.without([Tap("frame", layer="raw")])


def test_an_equal_tap_changes_nothing():
    def cell() -> list[Tap]:
        """What a cell of a notebook makes each time that it is run."""
        return [
            Tap("frame", at=lambda key, value, args: {"n": args[0]}),
            Tap(lambda key: "segment" in key, kind="labels", layer="cells"),
            Tap({"a-1", "a-2"}, layer="some", options={"contrast_limits": [0, 9]}),
        ]

    first = ActiveTaps().added(cell())
    again = first.added(cell())
    assert again.named == first.named
    assert again.active(cell()[0]) is next(iter(first))


def test_a_tap_on_the_selection_and_layer_of_another_replaces_it():
    taps = ActiveTaps().added([FRAMES, CELLS]).added([Tap("frame", at="{n:d}")])
    assert [tap.layer for tap in taps] == [CELLS.layer, "frame"]
    assert len(ActiveTaps().added([FRAMES, Tap("frame", layer="copy")])) == 2
    with pytest.raises(ValueError, match="both"):
        taps.added([Tap("frame", kind="labels")])


def test_an_array_that_is_watched_again_has_one_tap_a_layer():
    da = pytest.importorskip("dask.array")
    array = da.zeros((8, 8), chunks=4, name="zeros")
    taps = ActiveTaps().added([FRAMES])
    for options in ({}, {"policy": "keep"}, {"layer": "copy"}):
        _, found = tapped(array, **options)
        taps = taps.added(found)
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
