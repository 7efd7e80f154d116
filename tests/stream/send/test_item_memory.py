"""Arrays of items that are views of large bases, or in mapped files."""

from __future__ import annotations

import mmap
import os

import numpy as np
import pytest

from dask_napari.model import Item
from dask_napari.stream.send import Publisher
from dask_napari.stream.send._item_memory import release_bases
from headless import Headless

BASE = np.zeros((4, 1024, 1024), "u1")


def test_what_shows_little_of_its_base_lets_go_of_it():
    small = Item("raw", "image", BASE[0, :64, :64], arrays={"feature:area": BASE[1, 0]})
    planes = [Item("raw", "image", plane) for plane in BASE]
    release_bases([small])
    release_bases(planes)  # together they are all of it: a copy would free nothing
    np.testing.assert_array_equal(small.data, BASE[0, :64, :64])
    assert small.data.base is None
    assert small.arrays["feature:area"].base is None
    assert all(plane.data.base is not None for plane in planes)


@pytest.mark.drops("file cut short")
@pytest.mark.parametrize("view", [np.asarray, lambda a: np.asarray(memoryview(a)), lambda a: a[1:]])
def test_a_file_that_is_cut_short_costs_its_item_and_not_the_process(tmp_path, caplog, view):
    path = tmp_path / "pixels"
    mapped = np.memmap(path, np.uint8, "w+", shape=(64, mmap.PAGESIZE))
    mapped[:] = 7
    os.truncate(path, 2 * mmap.PAGESIZE)  # to touch what is gone ends the process
    with Headless() as viewer, Publisher(viewer.receiver.addresses, name="me") as publisher:
        publisher.put(Item("raw", "image", view(mapped), {"n": 0}))
        publisher.put(Item("raw", "image", np.zeros((4, 4), np.uint8), {"n": 1}))
        viewer.until_shown("raw", 1)
        assert publisher.wait(10).total.dropped == {"file cut short": 1}
        viewer.until_settled()
    assert "put a copy of it" in caplog.text
