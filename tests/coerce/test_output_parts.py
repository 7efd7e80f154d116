"""Which part of an output a tap shows: ``value=``, and tuples of which some parts can be shown."""

import collections
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.coerce import coerce_all, part_of
from dask_napari.model import Refusal, Reports
from dask_napari.tap import Tap

MASKS = np.arange(20).reshape(4, 5)
FLOWS = [np.zeros((4, 5, 3), "u1"), np.zeros((2, 4, 5)), np.zeros((4, 5))]


@dataclasses.dataclass
class Result:
    masks: object
    flows: object = None

    def measure(self):
        return 3


Named = collections.namedtuple("Named", "masks flows")


def read(value, kind):
    reports = Reports()
    found = coerce_all(value, kind=kind, layer="cells", on_note=reports.note)
    return found, [str(report) for report in reports.all()]


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ((FLOWS, MASKS), 1),
        ([FLOWS, MASKS], -1),
        ({"masks": MASKS, "flows": FLOWS}, "masks"),
        ({3: MASKS}, 3),
        (Result(MASKS, FLOWS), "masks"),
        (Named(MASKS, FLOWS), "masks"),
        (Named(MASKS, FLOWS), 0),
        (np.stack([MASKS, MASKS]), 0),
        ({"out": (FLOWS, Result(MASKS))}, lambda out: out["out"][1].masks),
        (MASKS, None),
    ],
)
def test_a_part_is_picked(output, value):
    assert np.array_equal(part_of(output, value), MASKS)


@pytest.mark.parametrize(
    ("output", "value", "words"),
    [
        ((MASKS, 5), 2, r"value=2 is no part of it; .* a tuple of 2 parts: ndarray, int"),
        ({"masks": 1}, "mask", "value='mask' .* a dict with keys 'masks'"),
        (collections.defaultdict(list), "mask", "a defaultdict with keys "),
        (Result(MASKS), "mask", "a Result with masks, flows"),
        (Result(MASKS), "measure", "a Result with"),
        (None, 0, "the task returned a NoneType"),
        ((MASKS,), lambda out: out[7], "value=<lambda> failed with IndexError"),
        (MASKS, "masks", "the task returned a ndarray"),
    ],
)
def test_a_part_that_is_missing_is_refused_by_what_there_is(output, value, words):
    with pytest.raises(Refusal, match=words) as refusal:
        part_of(output, value)
    assert refusal.value.reason == "no such part"
    assert not isinstance(output, dict) or "mask" not in output


@pytest.mark.parametrize("value", [1.5, True, [0], object()])
def test_what_chooses_no_part_is_refused_at_the_call(value):
    with pytest.raises(TypeError, match="chooses no part of an output; give an index"):
        Tap("segment", value=value)


def test_chunks_of_an_array_have_no_parts():
    da = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="chunks of an array have none"):
        Tap(da.zeros((4, 4), chunks=2), value=0)
    Tap(da.zeros((4, 4), chunks=2), value=np.abs)


@given(st.permutations([0, 1, 2, 3]), st.integers(0, 3))
def test_the_only_part_that_can_be_shown_has_the_layer(order, masks):
    others = iter([FLOWS, np.zeros(256), 17.3])
    parts = [MASKS if number == masks else next(others) for number in range(4)]
    (item,), (note,) = read(tuple(parts[n] for n in order), "labels")
    assert np.array_equal(item.data, MASKS)
    assert item.part == ""
    left_out = [n for n in range(4) if order[n] != masks]
    assert all(f"{n} (" in note for n in left_out)
    assert "cells: parts of a tuple that cannot be shown as labels are left out" in note


def test_parts_that_can_be_shown_are_numbered():
    found, notes = read((MASKS, "text", MASKS.astype(bool)), "labels")
    assert [item.part for item in found] == ["cells 0", "cells 2"]
    assert "1 (not an array)" in notes[0]
    found, notes = read((np.zeros((5, 2)), np.arange(5)), "points")
    assert [item.part for item in found] == [""]
    assert "1 (no layer)" in notes[0]


def test_a_tuple_of_nothing_is_refused_with_the_remedy():
    (refusal,), notes = read((MASKS / 2, 5), "labels")
    assert refusal.reason == "not an array"
    assert "value= of the tap chooses a part" in str(refusal)
    assert not notes
