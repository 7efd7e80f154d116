"""Dask arrays on a real cluster: every chunk arrives once, at its place, byte for byte."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster, wait
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from dask_napari.model import Item
from dask_napari.sink import SINK_NAME, NapariSink, TapsUpdate, tapped
from dask_napari.tap import Tap
from example_counts import TIMES, examples
from headless import Headless, eventually


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def module_viewer(client) -> Iterator[Headless]:
    with Headless() as viewer:
        client.register_plugin(NapariSink(viewer.receiver.addresses))
        yield viewer
        with contextlib.suppress(ValueError):
            client.unregister_worker_plugin(SINK_NAME)


@pytest.fixture
def viewer(client, module_viewer) -> Iterator[Headless]:
    yield module_viewer
    tap(client)
    client.unregister_worker_plugin(f"{SINK_NAME}-taps")


def tap(client: Client, *taps: Tap) -> None:
    client.register_plugin(TapsUpdate({str(id(tap)): tap for tap in taps}))


def assembled(items: list[Item]) -> np.ndarray:
    """What a canvas makes of chunks: one array; where there is none it is nan or a large number."""
    whole = items[0].array_shape
    kind = np.result_type(*(item.data.dtype for item in items))
    colour = items[0].data.shape[-1:] if items[0].rgb else ()
    dense = np.zeros((*whole, *colour), kind)
    filled = np.zeros(whole, int)
    for item in items:
        assert item.array_shape == whole
        shape = item.data.shape[: len(whole)]
        index = tuple(slice(o, o + n) for o, n in zip(item.origin, shape, strict=True))
        dense[index] = item.data
        filled[index] += 1
    assert (filled == 1).all(), "a place was filled twice, or not at all"
    return dense


class Case:
    """One layer of its own among all those of the module's viewer."""

    count = 0

    def __init__(self, viewer: Headless) -> None:
        Case.count += 1
        self.layer = f"layer {Case.count}"
        self.viewer = viewer

    def arrived(self, n: int) -> list[Item]:
        """All items of the layer; exactly ``n`` were selected."""
        mine = lambda: [item for item in self.viewer.items if item.layer == self.layer]  # noqa: E731
        ledger = self.viewer.receiver.ledger
        self.viewer.until(lambda: len(mine()) >= n)
        self.viewer.until(lambda: self.layer in ledger() and not ledger()[self.layer].pending)
        tally = ledger()[self.layer]
        assert tally.balanced
        assert (tally.selected, tally.shown) == (n, n), ledger()
        items = mine()
        self.viewer.items = [item for item in self.viewer.items if item.layer != self.layer]
        return items


# -- arrays and what is done with them ---------------------------------------------------------


def blocks(draw: Callable[..., Any], length: int) -> tuple[int, ...]:
    cuts = draw(st.sets(st.integers(1, max(1, length - 1)), max_size=2)) if length > 1 else set()
    ends = [0, *sorted(cuts), length]
    return tuple(stop - start for start, stop in itertools.pairwise(ends))


def local_mean(block: np.ndarray) -> np.ndarray:
    """A filter that needs neighbours: the mean along the first axis, over three."""
    padded = np.concatenate([block[:1], block, block[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


STEPS = {
    "elementwise": lambda x, draw: (x + 1) * 2 - x.astype(x.dtype),
    "map_blocks": lambda x, draw: x.map_blocks(np.negative, dtype=x.dtype),
    "overlap": lambda x, draw: (
        x.astype("f8")
        .rechunk({0: max(3, x.shape[0])})
        .map_overlap(local_mean, depth={0: 1}, boundary="reflect", dtype="f8")
    ),
    "rechunk": lambda x, draw: x.rechunk(tuple(blocks(draw, length) for length in x.shape)),
    "slice": lambda x, draw: x[
        tuple(
            slice(None, None, draw(st.sampled_from([1, -1, 2, -2]))) if length > 2 else slice(None)
            for length in x.shape
        )
    ],
    "transpose": lambda x, draw: x.transpose(draw(st.permutations(range(x.ndim)))),
    "concatenate": lambda x, draw: da.concatenate(
        [x, x[::-1]], axis=draw(st.integers(0, x.ndim - 1))
    ),
    "stack": lambda x, draw: da.stack([x, x + 1]) if x.ndim < 4 else x,
    "mean": lambda x, draw: x.mean(axis=draw(st.integers(0, x.ndim - 1)), keepdims=True),
    "where": lambda x, draw: da.where(x > x.mean(), x, 0),
}


def make(data: st.DataObject) -> da.Array:
    """An array that no other example has: chunks left in memory by another would count, too."""
    draw = data.draw
    shape = draw(st.lists(st.integers(1, 9), min_size=2, max_size=4), "shape")
    dtype = draw(st.sampled_from(["u1", "u2", "i4", "f4", "f8"]), "dtype")
    chunks = tuple(blocks(draw, length) for length in shape)
    values = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(0, 200, shape)
    x = da.from_array(values.astype(dtype), chunks=chunks, name=f"array-{uuid.uuid4().hex}")
    for name in draw(st.lists(st.sampled_from(sorted(STEPS)), max_size=3), "steps"):
        event(name)
        x = STEPS[name](x, draw)
    return x


def persist(x: da.Array) -> np.ndarray:
    return x.persist().compute()


def compute(x: da.Array) -> np.ndarray:
    return x.compute()


def to_zarr(x: da.Array) -> np.ndarray:
    zarr = pytest.importorskip("zarr")
    with tempfile.TemporaryDirectory() as folder:
        # The chunks of a store are all of one size.
        (x if _regular(x) else x.rechunk(3)).to_zarr(folder, overwrite=True)
        return zarr.open(folder)[:]


def store(x: da.Array) -> np.ndarray:
    zarr = pytest.importorskip("zarr")
    with tempfile.TemporaryDirectory() as folder:
        # One element a chunk: chunks of any size can be written at once.
        target = zarr.create(x.shape, chunks=(1,) * x.ndim, dtype=x.dtype, store=folder)
        da.store(x, target, lock=False)
        return target[:]


def reduced(x: da.Array) -> np.ndarray:
    """Into something else altogether, so that the chunks never end in memory."""
    np.testing.assert_array_equal((-x).max().compute(), (-x).max().compute(scheduler="sync"))
    return x.compute(scheduler="sync")


def _regular(x: da.Array) -> bool:
    return all(len(set(sizes[:-1])) <= 1 and sizes[-1] <= sizes[0] for sizes in x.chunks)


WAYS = [
    ("tap", persist),
    ("tap", compute),
    ("watch", persist),
    ("watch", compute),
    ("watch", to_zarr),
    ("watch", store),
    ("watch", reduced),
]


@settings(
    max_examples=examples(30),
    derandomize=TIMES == 1,
    # A failure waits for its deadline; shrinking it would take an hour.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(way=st.sampled_from(WAYS), data=st.data())
def test_every_chunk_arrives_once_at_its_place(client, module_viewer, way, data):
    how, run = way
    event(f"{how} {run.__name__}")
    x = make(data)
    case = Case(module_viewer)
    expected = x.compute(scheduler="sync")
    same = x
    if how == "tap":
        tap(client, Tap(x, layer=case.layer, rgb=False))
    else:
        same, taps = tapped(x, layer=case.layer, rgb=False)
        tap(client, *taps)
    np.testing.assert_array_equal(run(same), expected)
    items = case.arrived(int(np.prod(x.numblocks)))
    dense = assembled(items)
    assert dense.dtype == expected.dtype
    np.testing.assert_array_equal(dense, expected)
    assert expected.tobytes() == dense.tobytes()


@pytest.mark.parametrize("together", ["both", "tap alone", "watch alone"])
def test_tap_and_watch_together_show_no_chunk_twice(client, viewer, together):
    # Of numbers of its own: chunks that another case has left in memory count, too.
    start = len(together)
    x = da.arange(start, start + 48, chunks=12).reshape(6, 8).rechunk((3, 4)).map_blocks(abs)
    case = Case(viewer)
    same, taps = tapped(x, layer=case.layer)
    tap(client, Tap(x, layer=case.layer), *taps, Tap(same, layer=case.layer))
    arrays = {"both": (x, same), "tap alone": (x,), "watch alone": (same,)}[together]
    kept = dask.persist(*arrays)
    wait(kept)
    np.testing.assert_array_equal(assembled(case.arrived(4)), x.compute(scheduler="sync"))


def test_chunks_that_nothing_is_in_and_chunks_of_colour(client, viewer):
    values = np.random.default_rng(1).integers(0, 255, (40, 50, 3), "u1")
    x = da.from_array(values, chunks=((20, 0, 15, 5), (50,), (3,)))
    case = Case(viewer)
    same, (one,) = tapped(x, layer=case.layer)
    assert one.compile().rgb
    tap(client, one)
    np.testing.assert_array_equal(same.compute(), values)
    items = case.arrived(3)
    assert all(item.rgb and len(item.origin) == 2 for item in items)
    np.testing.assert_array_equal(assembled(items), values)


def test_labels_keep_their_numbers(client, viewer):
    values = np.arange(48).reshape(6, 8) * 1000
    case = Case(viewer)
    same, taps = tapped(da.from_array(values, chunks=(4, 3)), kind="labels", layer=case.layer)
    tap(client, *taps)
    same.persist().compute()
    items = case.arrived(6)
    assert {item.kind for item in items} == {"labels"}
    np.testing.assert_array_equal(assembled(items), values)


@pytest.mark.drops("chunk shape")
def test_a_chunk_of_another_size_than_declared_is_counted(client, viewer):
    wrong = da.zeros((8, 8), chunks=4, name="zeros-of-the-wrong").map_blocks(
        lambda block: block[:3], dtype=float
    )
    case = Case(viewer)
    tap(client, Tap(wrong, layer=case.layer))
    kept = wrong.persist()
    wait(kept)
    ledger = viewer.receiver.ledger
    viewer.until(lambda: case.layer in ledger() and ledger()[case.layer].selected == 4)
    viewer.until_settled()
    assert viewer.receiver.ledger()[case.layer].dropped == {"chunk shape": 4}


@pytest.mark.parametrize("how", ["tap", "watch"])
def test_a_viewer_that_joins_late_is_filled(client, how, tmp_path):
    x = da.random.default_rng(3).random((20, 30), chunks=(7, 11))
    same, taps = tapped(x) if how == "watch" else (x, [Tap(x)])
    address = f"ipc://{tmp_path}/viewer"
    client.register_plugin(NapariSink(address, taps, name="late"))
    try:
        kept = same.persist()
        wait(kept)
        # On another scheduler: collected here, chunks would move to the worker that joins them.
        expected = x.compute(scheduler="sync")
        for _ in range(2):
            with Headless(address) as late:
                late.until(lambda late=late: len(late.items) >= 9)
                late.until_settled()
                assert late.receiver.ledger().total.selected == 9
                np.testing.assert_array_equal(assembled(late.items), expected)
    finally:
        client.unregister_worker_plugin("late")


def test_a_chunk_that_has_moved_is_found_by_a_late_viewer(client, tmp_path):
    x = da.full((4, 4), 7.0, name=f"full-{uuid.uuid4().hex}")
    first, second = client.scheduler_info()["workers"]
    client.register_plugin(NapariSink(f"ipc://{tmp_path}/viewer", [Tap(x)], name="late"))
    try:
        kept = x.persist(workers=[first])
        wait(kept)
        (future,) = client.futures_of(kept)
        wait(client.submit(np.sum, future, workers=[second], pure=False))  # fetches it

        def move(dask_scheduler: Any) -> None:
            dask_scheduler.request_remove_replicas(first, [future.key], stimulus_id="test")

        client.run_on_scheduler(move)
        eventually(lambda: list(client.who_has([future])[future.key]) == [second])
        with Headless(f"ipc://{tmp_path}/viewer") as late:
            late.until(lambda: late.items)
            late.until_settled()
            assert late.receiver.ledger().total.selected == 1
            np.testing.assert_array_equal(assembled(late.items), np.full((4, 4), 7.0))
    finally:
        client.unregister_worker_plugin("late")


# -- xarray ------------------------------------------------------------------------------------


def stack() -> Any:
    """Time, channels by name, and planes in micrometres."""
    xr = pytest.importorskip("xarray")
    values = np.random.default_rng(4).integers(0, 999, (3, 2, 8, 10), "u2")
    unit = {"units": "micrometer"}
    return xr.DataArray(
        da.from_array(values, chunks=(1, 2, 5, 6), name=f"array-{uuid.uuid4().hex}"),
        dims=("t", "channel", "y", "x"),
        coords={
            "t": np.array(["2024-01-01", "2024-01-02", "2024-01-05"], "M8[ns]"),
            "channel": ["DAPI", "actin"],
            "y": ("y", np.arange(8) * 0.5, unit),
            "x": ("x", 20 + np.arange(10) * 0.25, unit),
            "well": "A01",
        },
        name="stack",
    )


@pytest.mark.parametrize("how", ["tap persist", "watch store", "watch compute"])
def test_coordinates_of_xarray_place_and_calibrate(client, viewer, how, tmp_path):
    array = stack()
    case = Case(viewer)
    same, taps = array, [Tap(array, layer=case.layer)]
    if how.startswith("watch"):
        same, taps = tapped(array, layer=case.layer)
        assert same.coords.equals(array.coords)
        assert (same.dims, same.name, same.attrs) == (array.dims, array.name, array.attrs)
    tap(client, *taps)
    expected = array.compute(scheduler="sync")
    if how == "watch store":
        pytest.importorskip("zarr")
        same.drop_encoding().to_zarr(tmp_path / "stack.zarr")
    else:
        kept = same.persist()
        assert kept.compute().identical(expected)
    # Every chunk becomes an item for each of its channels and times.
    items = case.arrived(3 * 2 * 2 * 2)
    places: dict[tuple[Any, ...], list[Item]] = {}
    for item in items:
        assert item.position["well"] == "A01"
        places.setdefault((item.position["t"], item.position["channel"]), []).append(item)
        assert item.calibration.axes == ("y", "x")
        assert item.calibration.scale == (0.5, 0.25)
        assert item.calibration.translate == (0.0, 20.0)
        assert item.calibration.units == ("micrometer", "micrometer")
    assert len(places) == 6
    for (t, channel), found in places.items():
        plane = expected.sel(t=t, channel=channel).values
        np.testing.assert_array_equal(assembled(found), plane)


def test_a_dataset_has_a_layer_a_variable(client, viewer):
    xr = pytest.importorskip("xarray")
    array = stack().isel(t=0, drop=True)
    dataset = xr.Dataset({"raw": array, "mask": array > 500, "mean": array.mean()})
    case, prefix = Case(viewer), f"set {uuid.uuid4().hex[:6]}"
    same, taps = tapped(dataset, layer=prefix)
    assert [one.layer for one in taps] == [f"{prefix} raw", f"{prefix} mask"]
    tap(client, *taps)
    assert same.compute().equals(dataset.compute(scheduler="sync"))
    for one in taps:
        case.layer = one.layer
        assert {item.layer for item in case.arrived(8)} == {one.layer}
    with pytest.raises(ValueError, match="no variable of the Dataset"):
        tapped(dataset[["mean"]])
    with pytest.raises(TypeError, match=r"live\.tap"):
        Tap(dataset)
    with pytest.raises(ValueError, match=r"call \.chunk\(\)"):
        Tap(array.compute(scheduler="sync"))


# -- the other array engine --------------------------------------------------------------------

EXPRESSIONS = """
import sys
sys.path[:0] = {tests!r}
import dask
dask.config.set({{"array.query-planning": True}})
import dask.array as da, numpy as np
from distributed import Client
from headless import Headless
from test_dask_arrays import Case, assembled, tap
from dask_napari.sink import tapped
from dask_napari.sink import NapariSink
from dask_napari.tap import Tap

def persist(x):
    return x.persist().compute()

def fused(x):
    return (x[::-1] + 1).compute()[::-1] - 1

def make():
    x = da.random.default_rng().random((20, 30), chunks=(7, 11)) + 1
    return x[:, 1:].rechunk((8, 9))

if __name__ == "__main__":
    assert da.array_expr_enabled()
    with (
        Client(n_workers=1, threads_per_worker=2, dashboard_address=None) as client,
        Headless() as viewer,
    ):
        client.register_plugin(NapariSink(viewer.receiver.addresses))
        for how, run in [("tap", persist), ("watch", persist), ("watch", fused)]:
            x, case = make(), Case(viewer)
            same, taps = (x, [Tap(x, layer=case.layer)])
            if how == "watch":
                same, taps = tapped(x, layer=case.layer)
            tap(client, *taps)
            expected = run(same)
            np.testing.assert_allclose(assembled(case.arrived(12)), expected)
    print("done")
"""


def test_arrays_of_the_expression_engine():
    script = EXPRESSIONS.format(tests=[str(Path(__file__).parent), str(Path(__file__).parents[1])])
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(script)
        file.flush()
        command = [sys.executable, "-W", "ignore", file.name]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "done" in run.stdout, run.stderr[-3000:]
