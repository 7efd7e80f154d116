"""Batches without Dask: values of any form, at names or positions; all are sent, or none."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import dask_napari as dn
from dask_napari.model import Refusal
from dask_napari.stream import Board, Publisher, Receiver

PLANE = np.arange(12, dtype="uint16").reshape(3, 4)


def test_a_public_call_reads_the_position_of_a_name():
    assert dn.conventions.position(Path("/data/B - 03(fld 1 wv DAPI).tif"), "incell") == {
        "well": "B03",
        "field": 1,
        "channel": "DAPI",
    }
    assert dn.conventions.position("A01_s3.tif", "{well}_s{field:d}.tif")["field"] == 3


@pytest.mark.parametrize(
    ("name", "convention", "error", "words"),
    [
        ("A01-3.tif", "{well}_s{field:d}.tif", ValueError, "'A01-3.tif'"),
        ("A01-3.tif", "incel", ValueError, "did you mean 'incell'"),
        ("A01-3.tif", 7, TypeError, "7 cannot read names"),
    ],
)
def test_a_name_without_a_position_is_refused(name, convention, error, words):
    with pytest.raises(error, match=words):
        dn.conventions.position(name, convention)


def test_values_of_many_forms_arrive_at_names_and_positions():
    board = Board()
    cells = {"y": [1.5, 2.0], "x": [3.0, 0.5], "area": [7.0, 9.0]}
    with (
        Receiver("tcp://127.0.0.1:*", board) as receiver,
        Publisher(receiver.addresses, name="me") as publisher,
    ):
        dn.save_batch(
            publisher,
            [PLANE, PLANE.astype(">i4"), PLANE > 3, (PLANE, {"gamma": 0.5}, "image")],
            ["A01_s1.tif", Path("x/A01_s2.tif"), {"well": "B02", "field": 1}, "C03_s1.tif"],
            layer="raw",
            at="{well}_s{field:d}.tif",
        )
        dn.save_batch(publisher, [cells], [{"well": "A01"}], layer="cells", kind="points")
        seen = {}
        while len(seen) < 5:
            assert board.wait(timeout=20)
            for item in board.take():
                seen[item.layer, *item.position.values()] = item
    assert np.array_equal(seen["raw", "A01", 1].data, PLANE)
    assert np.array_equal(seen["raw", "A01", 2].data, PLANE)
    assert np.array_equal(seen["raw", "B02", 1].data, PLANE > 3)
    assert seen["raw", "C03", 1].options == {"gamma": 0.5}
    assert seen["raw", "A01", 1].provenance.key == "A01_s1.tif"
    points = seen["cells", "A01"]
    assert points.data.tolist() == [[1.5, 3.0], [2.0, 0.5]]
    assert points.arrays["feature:area"].tolist() == [7.0, 9.0]


T = {"t": 0}
PATTERN = "{well}_s{field:d}.tif"


@pytest.mark.parametrize(
    ("values", "places", "options", "error", "words"),
    [
        ([PLANE], [T, T], {}, ValueError, "1 values and 2 places for layer 'raw'"),
        ([PLANE], ["A01_s1.tif"], {}, ValueError, "'A01_s1.tif' is a name, and at="),
        ([PLANE] * 2, [T, "A01.tif"], {"at": PATTERN}, ValueError, "'A01.tif' does not match"),
        ([PLANE], [{}], {}, TypeError, "is not a position"),
        ([PLANE, "text"], [T, T], {}, Refusal, "value 1: "),
        ([PLANE], [T], {"policy": "newest"}, ValueError, "policy='newest'"),
        ([PLANE], [T], {"layer": ""}, TypeError, "layer=''"),
    ],
)
def test_nothing_is_queued_when_something_cannot_be_sent(values, places, options, error, words):
    with closing(Publisher("tcp://127.0.0.1:1", name="me")) as publisher:
        with pytest.raises(error, match=words):
            dn.save_batch(publisher, values, places, **{"layer": "raw", **options})
        assert publisher.counts() == {}
