"""One array of a record: its metadata by zarr, its chunks written as the files that zarr reads.

An assignment through zarr costs a millisecond or two, whatever its size; the same bytes written
straight to their file, by the same codecs, take a fifth of that. It also lets several chunks be
prepared before any of them replaces an old one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zarr
from numcodecs import Blosc, Zstd
from zarr.codecs import BloscCodec, ZstdCodec

from dask_napari.record import files

CHUNK_LIMIT: Final = 512 << 20
"""Bytes of a chunk; larger items are several. Blosc ends at 2 GiB, and a reader takes one whole."""

EXACT: Final = 64
"""Length up to which an axis grows one by one."""

AHEAD: Final = 8
"""Above, it is made longer by this share, so that the metadata is rarely written; it is cut to
what it needs when the record is closed."""


def chunk_shape(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """The shape of an item's chunks: its own, unless that is too large.

    Examples
    --------
    >>> chunk_shape((4, 1 << 15, 1 << 15), 2)
    (1, 8192, 32768)
    """
    chunk = [max(1, length) for length in shape]
    for axis in range(len(chunk)):
        rest = math.prod(chunk[axis + 1 :]) * math.prod(chunk[:axis]) * itemsize
        if rest * chunk[axis] <= CHUNK_LIMIT:
            break
        chunk[axis] = max(1, CHUNK_LIMIT // rest)
    return tuple(chunk)


class ChunkedArray:
    """An array, and the files of its chunks.

    Parameters
    ----------
    root : Path
        The record.
    path : str
        Of the array in it.
    """

    def __init__(self, root: Path, path: str) -> None:
        self.path = path
        self.folder = root / path
        self._metadata = files.read_json(self.folder / "zarr.json")
        grid = self._metadata["chunk_grid"]["configuration"]
        self.chunk: tuple[int, ...] = tuple(grid["chunk_shape"])
        self.dtype = np.dtype(self._metadata["data_type"])
        self._fill = self._metadata["fill_value"]
        names = [codec["name"] for codec in self._metadata["codecs"]]
        self._codec = Zstd(1) if "zstd" in names else Blosc("lz4", 1, Blosc.BITSHUFFLE)

    @classmethod
    def create(
        cls,
        root: Path,
        path: str,
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        labels: bool = False,
        fill: float = 0,
        names: Sequence[str] | None = None,
    ) -> ChunkedArray:
        """Make a new array.

        Labels go by zstd, which shrinks them a hundred times, all else by Blosc (lz4 over shuffled
        bits), which is as fast as the disk.
        """
        blosc = BloscCodec(typesize=dtype.itemsize, cname="lz4", clevel=1, shuffle="bitshuffle")
        zarr.create_array(
            str(root / path),
            shape=shape,
            chunks=chunk,
            dtype=dtype,
            compressors=[ZstdCodec(level=1) if labels else blosc],
            fill_value=_as(fill, dtype),
            dimension_names=names,
            # Without a directory for each axis of each chunk.
            chunk_key_encoding={"name": "default", "separator": "."},
        )
        return cls(root, path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(self._metadata["shape"])

    def ensure(self, ends: Sequence[int], ahead: Sequence[int] = ()) -> None:
        """Make the array so long at least; along the axes ``ahead``, more than that."""
        if all(end <= length for end, length in zip(ends, self.shape, strict=True)):
            return
        shape = list(self.shape)
        for axis, end in enumerate(ends):
            if end > shape[axis]:
                spare = end // AHEAD if axis in ahead and end > EXACT else 0
                shape[axis] = end + spare
        self.reshape(shape)

    def reshape(self, shape: Sequence[int]) -> None:
        """Change the length of axes; the chunks stay where they are."""
        changed = {**self._metadata, "shape": list(shape)}
        files.write_json(self.folder / "zarr.json", changed)
        self._metadata = changed

    def attributes(self, attributes: dict[str, Any]) -> None:
        """Write the attributes. Raises OSError."""
        changed = {**self._metadata, "attributes": attributes}
        files.write_json(self.folder / "zarr.json", changed)
        self._metadata = changed

    def chunks(self, start: Sequence[int], shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """The chunks that a region consists of."""
        spans = (
            range(at // step, -(-(at + length) // step))
            for at, length, step in zip(start, shape, self.chunk, strict=True)
        )
        grids = np.meshgrid(*map(np.asarray, spans), indexing="ij")
        yield from map(tuple, np.stack([grid.ravel() for grid in grids], axis=-1).tolist())

    def file(self, chunk: Sequence[int]) -> Path:
        """The file of a chunk."""
        return self.folder / ".".join(("c", *map(str, chunk)))

    def write_parts(self, start: Sequence[int], block: npt.NDArray[Any]) -> list[tuple[Path, Path]]:
        """Write the chunks of a region under other names; any thread.

        Parameters
        ----------
        start : sequence of int
            Where the region begins, at the corner of a chunk.
        block : ndarray
            Its content, in the axes of the array; what is missing of its last chunks is filled.

        Returns
        -------
        list of tuple of Path
            What was written, and what it is to be called.

        Raises
        ------
        OSError
            If it cannot be written; nothing is left of it then.
        """
        written: list[tuple[Path, Path]] = []
        try:
            for chunk in self.chunks(start, block.shape):
                data = self._codec.encode(self._piece(chunk, start, block))
                path = self.file(chunk)
                files.check_room(self.folder, len(data))
                written.append((files.write_part(path, data), path))
        except OSError:
            for part, _ in written:
                part.unlink(missing_ok=True)
            raise
        return written

    def _piece(
        self, chunk: tuple[int, ...], start: Sequence[int], block: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        where = tuple(
            slice(number * step - at, number * step - at + step)
            for number, step, at in zip(chunk, self.chunk, start, strict=True)
        )
        piece = block[where]
        if piece.shape != self.chunk:
            return padded(piece, self.chunk, self.fill, self.dtype)
        return np.ascontiguousarray(piece, self.dtype)

    @property
    def fill(self) -> Any:
        """What is where nothing was written."""
        return _as(float(self._fill) if isinstance(self._fill, str) else self._fill, self.dtype)


def padded(
    block: npt.NDArray[Any], shape: Sequence[int], fill: Any, dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """Return a block at the corner of a larger one.

    Examples
    --------
    >>> padded(np.ones((1, 2)), (2, 3), 0, np.dtype("u1")).tolist()
    [[1, 1, 0], [0, 0, 0]]
    """
    whole = np.full(shape, fill, dtype)
    whole[tuple(map(slice, block.shape))] = block
    return whole


def _as(fill: float, dtype: np.dtype[Any]) -> Any:
    """A fill value as far as a type can say it."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        fill = min(max(int(fill) if math.isfinite(fill) else 0, limits.min), limits.max)
    return dtype.type(fill).item()
