"""How fast a record is written and read, beside zarr with and without zarrs for the same content.

    python -m benchmarks.record

All write the same arrays with the same codecs to the same disk, in turn; zarr is given an array of
the final size, one chunk a picture, which a stream does not know. zarrs (``pip install zarrs``) is
a codec pipeline in Rust; it overwrites chunks in place, and is passed over if it is not installed.
"""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from benchmarks.report import publish, table
from dask_napari.model import Item
from dask_napari.record import Record
from dask_napari.record._recorder import ROUND_BYTES, ROUND_ITEMS
from dask_napari.record._store import Store

PIPELINES = {
    "zarr": "zarr.core.codec_pipeline.BatchedCodecPipeline",
    "zarrs": "zarrs.ZarrsCodecPipeline",
}
SIDES = {"32 KiB": 128, "512 KiB": 512, "8 MiB": 2048}
TOTAL = 256 << 20
"""Bytes written in each run."""

MOST = 2000
"""Most images in each run; more small ones would not change the result."""

AT_ONCE = 64

REPEATS = 3


def pictures(kind: str, side: int) -> list[np.ndarray[Any, Any]]:
    """Return a few different images that compress like real ones."""
    rng = np.random.default_rng(0)
    if kind == "image":
        return [rng.poisson(200, (side, side)).astype("u2") for _ in range(4)]
    blobs = [rng.integers(0, 500, (side // 16, side // 16), "u2") for _ in range(4)]
    return [np.kron(blob, np.ones((16, 16), "u2")) for blob in blobs]


def plain(folder: Path, kind: str, made: list[np.ndarray[Any, Any]], count: int) -> Any:
    """Return an empty zarr array of the final size."""
    blosc = BloscCodec(typesize=2, cname="lz4", clevel=1, shuffle="bitshuffle")
    return zarr.create_array(
        str(folder / "plain.zarr"),
        shape=(count, *made[0].shape),
        chunks=(1, *made[0].shape),
        dtype=made[0].dtype,
        compressors=[blosc if kind == "image" else ZstdCodec(level=1)],
    )


def by_zarr(folder: Path, kind: str, made: list[np.ndarray[Any, Any]], count: int) -> None:
    """Write each image by one assignment."""
    array = plain(folder, kind, made, count)
    for n in range(count):
        array[n] = made[n % len(made)]


def by_zarr_at_once(folder: Path, kind: str, made: list[np.ndarray[Any, Any]], count: int) -> None:
    """Write many images by one assignment, which zarr splits among its threads."""
    array = plain(folder, kind, made, count)
    size = min(AT_ONCE, max(1, ROUND_BYTES // made[0].nbytes))
    for first in range(0, count, size):
        last = min(first + size, count)
        array[first:last] = np.stack([made[n % len(made)] for n in range(first, last)])


def by_record(folder: Path, kind: str, made: list[np.ndarray[Any, Any]], count: int) -> None:
    """Write items as the recorder does with those from the board."""
    store = Store(folder / "run.zarr")
    size = min(ROUND_ITEMS, max(1, ROUND_BYTES // made[0].nbytes))
    for first in range(0, count, size):
        last = min(first + size, count)
        store.put(
            [Item("a", kind, made[n % len(made)], {"n": n}) for n in range(first, last)]  # type: ignore[arg-type]
        )
    store.close()


def by_record_and_sort(
    folder: Path, kind: str, made: list[np.ndarray[Any, Any]], count: int
) -> None:
    """Write items in random order, and sort the record at the end."""
    store = Store(folder / "run.zarr")
    size = min(ROUND_ITEMS, max(1, ROUND_BYTES // made[0].nbytes))
    names = [f"{n}" for n in np.random.default_rng(0).permutation(count)]
    for first in range(0, count, size):
        last = min(first + size, count)
        store.put(
            [
                Item("a", kind, made[n % len(made)], {"well": names[n]})  # type: ignore[arg-type]
                for n in range(first, last)
            ]
        )
    store.finish()
    store.close()


def read_zarr(folder: Path, count: int) -> None:
    """A picture after the other."""
    array = zarr.open_array(str(folder / "plain.zarr"), mode="r")
    for n in range(count):
        np.asarray(array[n])


def read_record(folder: Path, count: int) -> None:
    """Item after item, as a replay does."""
    assert sum(1 for _ in Record(folder / "run.zarr").items()) == count


Write = Callable[[Path, str, list[np.ndarray[Any, Any]], int], None]

RUNS: dict[str, tuple[str, Write, Callable[[Path, int], None]]] = {
    "zarr": ("zarr", by_zarr, read_zarr),
    "zarr, up to 64 at once": ("zarr", by_zarr_at_once, read_zarr),
    "zarrs": ("zarrs", by_zarr, read_zarr),
    "zarrs, up to 64 at once": ("zarrs", by_zarr_at_once, read_zarr),
    "record": ("zarr", by_record, read_record),
    "record, sorted at the end": ("zarr", by_record_and_sort, read_record),
}
if importlib.util.find_spec("zarrs") is None:
    RUNS = {name: run for name, run in RUNS.items() if run[0] != "zarrs"}


def main() -> None:
    rows: list[list[object]] = []
    for kind in ("image", "labels"):
        for label, side in SIDES.items():
            made = pictures(kind, side)
            count = min(MOST, TOTAL // made[0].nbytes)
            times: dict[str, list[tuple[float, float]]] = {name: [] for name in RUNS}
            for _ in range(REPEATS):
                for name, (pipeline, write, read) in RUNS.items():
                    zarr.config.set({"codec_pipeline.path": PIPELINES[pipeline]})
                    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
                    began = time.perf_counter()
                    write(folder, kind, made, count)
                    written = time.perf_counter()
                    read(folder, count)
                    times[name].append((written - began, time.perf_counter() - written))
                    shutil.rmtree(folder)
            gigabytes = count * made[0].nbytes / 1e9
            rates = {
                name: [gigabytes / statistics.median(each) for each in zip(*found, strict=True)]
                for name, found in times.items()
            }
            for name, (write_rate, read_rate) in rates.items():
                ours = rates["record"]
                rows.append([kind, label, name, write_rate, ours[0] / write_rate])
                rows[-1] += [read_rate, ours[1] / read_rate]
    columns = ["kind", "item", "way", "written GB/s", "record is x", "read GB/s", "record is x"]
    publish(
        "record",
        "python -m benchmarks.record",
        table(f"To disk and back, median of {REPEATS} interleaved runs", columns, rows),
    )


if __name__ == "__main__":
    main()
