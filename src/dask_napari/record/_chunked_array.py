"""Zarr array whose metadata zarr makes, and whose chunks are written as the files that zarr reads.

Assignments through zarr take 2 to 4 times as long. With the codecs of zarrs they come near, but a
chunk is then overwritten in place, and a kill leaves half of it to every reader. Files of our own
are complete before they get their names, and several are prepared before one replaces an old one.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numcodecs import Blosc, Zstd
from zarr.codecs import BloscCodec, ZstdCodec

from dask_napari.model import AnyArray
from dask_napari.record._files import write_json

CHUNK_LIMIT: Final = 512 << 20
"""Bytes of a chunk; larger items are several. Blosc ends at 2 GiB, and a reader takes one whole."""


def chunk_shape(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return the shape of an item's chunks: its own, or equal pieces of it if that is too large.

    Examples
    --------
    >>> chunk_shape((4, 1 << 15, 1 << 15), 2)
    (1, 8192, 32768)
    """
    chunk = list(shape)
    for axis, length in enumerate(shape):
        most = CHUNK_LIMIT // (math.prod(chunk) // length * itemsize)
        chunk[axis] = next((n for n in range(min(most, length), 1, -1) if length % n == 0), 1)
    return tuple(chunk)


class ChunkedArray:
    """Array of a record, in a folder with its metadata."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._metadata = json.loads((folder / "zarr.json").read_bytes())
        self.shape = tuple(self._metadata["shape"])
        self.chunk = tuple(self._metadata["chunk_grid"]["configuration"]["chunk_shape"])
        self._dtype = np.dtype(self._metadata["data_type"])
        # The fill value is text, as "NaN", where JSON has no such number.
        self._fill = self._dtype.type(self._metadata["fill_value"])
        zstd = any(codec["name"] == "zstd" for codec in self._metadata["codecs"])
        self._codec = Zstd(1) if zstd else Blosc("lz4", 1, Blosc.BITSHUFFLE)

    def __repr__(self) -> str:
        return f"<ChunkedArray {self.folder}: {self.shape} in chunks of {self.chunk}>"

    @staticmethod
    def create(
        folder: Path,
        shape: Sequence[int],
        chunk: Sequence[int],
        dtype: np.dtype[Any],
        names: Sequence[str],
        *,
        labels: bool,
        fill: float,
    ) -> None:
        """Create an array without chunks. Raises OSError.

        Labels are compressed by zstd, which shrinks them a hundred times, images by Blosc (lz4
        over shuffled bits), which is as fast as the disk.
        """
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            fill = min(max(int(fill) if math.isfinite(fill) else 0, limits.min), limits.max)
        blosc = BloscCodec(typesize=dtype.itemsize, cname="lz4", clevel=1, shuffle="bitshuffle")
        zarr.create_array(
            str(folder),
            shape=tuple(shape),
            chunks=tuple(chunk),
            dtype=dtype,
            compressors=[ZstdCodec(level=1) if labels else blosc],
            fill_value=fill,
            dimension_names=names,
            # Without a directory for each axis of each chunk.
            chunk_key_encoding={"name": "default", "separator": "."},
        )

    def save(self) -> None:
        """Write the shape, if it has changed. Raises OSError."""
        if self._metadata["shape"] != list(self.shape):
            self.copy_metadata(self.folder, self.shape)
            self._metadata["shape"] = list(self.shape)

    def copy_metadata(self, folder: Path, shape: Sequence[int]) -> None:
        """Write the metadata of an array of another shape. Raises OSError."""
        write_json(folder / "zarr.json", {**self._metadata, "shape": list(shape)})

    def chunks(
        self, start: Sequence[int], shape: Sequence[int]
    ) -> Iterator[tuple[str, tuple[slice, ...]]]:
        """Yield the file name of each chunk of a region, and the slices of the region in it."""
        steps = list(zip(start, shape, self.chunk, strict=True))
        spans = (range(at // step, -(-(at + length) // step)) for at, length, step in steps)
        for number in itertools.product(*spans):
            firsts = [n * step - at for n, (at, _, step) in zip(number, steps, strict=True)]
            slices = tuple(slice(a, a + step) for a, step in zip(firsts, self.chunk, strict=True))
            yield ".".join(("c", *map(str, number))), slices

    def encode(self, block: AnyArray) -> bytes:
        """Return the content of a chunk's file; a block that is smaller is filled up."""
        if block.shape != self.chunk:
            full = np.full(self.chunk, self._fill, self._dtype)
            full[tuple(map(slice, block.shape))] = block
            block = full
        encoded: bytes = self._codec.encode(np.ascontiguousarray(block, self._dtype))
        return encoded
