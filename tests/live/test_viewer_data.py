"""What a viewer shows, read by the client and saved."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import dask.array as da
import numpy as np
import pandas
import pytest
import xarray
import zarr
from distributed import wait

import dask_napari as dn
from dask_napari.model import Item
from dask_napari.record import Record
from headless import DEADLINE

WELLS = ("A01", "A02", "B10")


def picture(well: str, t: int) -> np.ndarray:
    return np.full((40, 50), WELLS.index(well) * 10 + t, np.uint16) + np.arange(50, dtype=np.uint16)


def large(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (3000, 3100), np.uint8)


def spots(well: str) -> tuple:
    n = WELLS.index(well) + 1
    table = {"size": np.arange(n) / 2, "type": ["a", "b", "c"][:n]}
    return np.arange(2.0 * n).reshape(n, 2), {"features": table}, "points"


@pytest.fixture(scope="module")
def live(client) -> Iterator[dn.Live]:
    places = [(well, t) for well in WELLS for t in range(3) if (well, t) != ("A02", 1)]
    chunks = da.arange(60 * 70, chunks=-1, dtype="int32").reshape(60, 70).rechunk((20, 40))
    with dn.watch(client) as live:
        at = lambda key, value, args: dict(zip(("well", "t"), args, strict=False))  # noqa: E731
        live.tap("picture", at=at, scale=(0.5, 0.5), units=("micrometer", "micrometer"), fill=3)
        live.tap("spots", kind="points", at=at)
        live.tap(chunks, layer="chunks")
        held = [client.map(picture, *zip(*places, strict=True)), client.map(spots, WELLS)]
        kept = chunks.persist()
        wait([held, kept])
        live.wait(DEADLINE)
        yield live
        del held, kept


def test_pixels_have_coordinates_and_are_read_when_they_are_looked_at(live):
    array = live.data("picture")
    assert isinstance(array, xarray.DataArray)
    assert array.dims == ("well", "t", "y", "x")
    assert array.sizes == {"well": 3, "t": 3, "y": 40, "x": 50}
    assert array["well"].values.tolist() == list(WELLS)
    assert array["x"].values[:3].tolist() == [0.0, 0.5, 1.0]
    assert array["x"].attrs == {"units": "micrometer"}
    assert (array.name, array.dtype, array.attrs) == ("picture", np.uint16, {"kind": "image"})
    assert not array._in_memory
    one = array.sel(well="B10", t=2, x=slice(5, 10)).values
    assert np.array_equal(one, picture("B10", 2)[:, 10:21])
    assert array[::-1, 2, 3, ::7].values.tolist() == [
        picture(well, 2)[3, ::7].tolist() for well in reversed(WELLS)
    ]
    assert np.unique(array.sel(well="A02", t=1).values).tolist() == [3]  # which never came
    dense = array.load().values
    assert np.array_equal(dense[1, 2], picture("A02", 2))


def test_labelled_pixels_can_be_copied_and_sent(live):
    array = live.data("picture")
    expected = array.values
    for copied in (
        copy.deepcopy(live.data("picture")),
        pickle.loads(pickle.dumps(live.data("picture"))),
        live.data("picture").chunk({"well": 1}).compute(),
    ):
        assert np.array_equal(copied.values, expected)
    assert "xarray.DataArray" in repr(live.data("picture"))


def test_chunks_are_joined(live):
    array = live.data("chunks")
    assert array.shape == (60, 70)
    assert np.array_equal(array, np.arange(4200).reshape(60, 70))
    assert np.array_equal(array[10:50:3, -5:], np.arange(4200).reshape(60, 70)[10:50:3, -5:])


def test_elements_are_a_table(live):
    table = live.data("spots").sort_values(["well", "y"], ignore_index=True)
    assert isinstance(table, pandas.DataFrame)
    assert table["well"].tolist() == ["A01", "A02", "A02", "B10", "B10", "B10"]
    assert table.iloc[-1].to_dict() == {"well": "B10", "y": 4.0, "x": 5.0, "size": 1.0, "type": "c"}


def test_layers_are_saved_where_the_client_is(live, tmp_path):
    path = live.save(tmp_path / "run.zarr")
    record = Record(path)
    assert record.closed
    assert len(record) == 8 + 3 + 6
    for item in record.items():
        if item.layer == "picture":
            assert np.array_equal(item.data, picture(item.position["well"], item.position["t"]))
    image = next(line.image for line in record.lines if line.meta.layer == "chunks")
    assert np.array_equal(zarr.open_array(str(path / image), mode="r"), live.data("chunks"))
    with pytest.raises(FileExistsError, match="there already"):
        live.save(path)
    live.save(path, ["spots"], overwrite=True)
    assert {item.layer for item in Record(path).items()} == {"spots"}


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(live):
    with pytest.raises(ValueError, match=r"no layer 'cells'; there are: .*'picture'"):
        live.data("cells")


def test_arrays_that_are_larger_than_a_reply_come_in_parts(live, client):
    live.tap("large", at=lambda key, value, args: {"t": 0})
    future = client.submit(large, 3)
    wait(future)
    live.wait(DEADLINE)
    assert np.array_equal(live.data("large")[0], large(3))


def test_items_of_objects_are_never_read():
    from dask_napari.model import ItemDescription

    item = Item("cells", "labels", np.empty((2, 2), object))
    with pytest.raises(ValueError, match="objects"):
        ItemDescription.of(item).empty("data")


def retaken(well: str, t: int) -> np.ndarray:
    return picture(well, t)


def test_a_new_run_replaces_nothing_of_the_one_before(client):
    with dn.watch(client, new=True) as live:
        live.tap("retaken", at=lambda key, value, args: {"well": args[0]})
        first = client.map(retaken, WELLS, [0] * len(WELLS))
        wait(first)
        live.wait(DEADLINE)
        assert live.new_run() == 2
        second = client.map(retaken, WELLS[1:], [2, 2])
        wait(second)
        live.wait(DEADLINE)
        array = live.data("retaken")
        assert array["well"].values.tolist() == list(WELLS[1:])
        assert np.array_equal(array.sel(well="A02"), picture("A02", 2))
        assert live.ledger()["retaken"].shown == 5
