"""Compare the speed of a record with plain assignments to a zarr array of the same content.

    python -m benchmarks.record

Both write equal arrays with equal codecs to one disk, in turn. zarr gets an array of the final
size, which a stream cannot know, with one chunk per image.
"""

from __future__ import annotations

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
from dask_napari.record._closing import finish
from dask_napari.record._recorder import ROUND_BYTES, ROUND_ITEMS
from dask_napari.record._store import Store

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
    finish(store)
    store.close()


RUNS: dict[str, Callable[[Path, str, list[np.ndarray[Any, Any]], int], None]] = {
    "plain zarr": by_zarr,
    "plain zarr, up to 64 at once": by_zarr_at_once,
    "record": by_record,
    "record, sorted at the end": by_record_and_sort,
}


def main() -> None:
    rows: list[list[object]] = []
    for kind in ("image", "labels"):
        for label, side in SIDES.items():
            made = pictures(kind, side)
            count = min(MOST, TOTAL // made[0].nbytes)
            times: dict[str, list[float]] = {name: [] for name in RUNS}
            for _ in range(REPEATS):
                for name, run in RUNS.items():
                    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
                    began = time.perf_counter()
                    run(folder, kind, made, count)
                    times[name].append(time.perf_counter() - began)
                    shutil.rmtree(folder)
            each = {name: statistics.median(found) for name, found in times.items()}
            for name, seconds in each.items():
                gigabytes = count * made[0].nbytes / seconds / 1e9
                ratio = each["plain zarr"] / seconds
                rows.append([kind, label, name, gigabytes, count / seconds, ratio])
    columns = ["kind", "item", "way", "GB/s", "items/s", "of plain zarr"]
    publish(
        "record",
        "python -m benchmarks.record",
        table(f"Written to disk, median of {REPEATS} interleaved runs", columns, rows),
    )


if __name__ == "__main__":
    main()
