"""Codecs of arrays that travel inline: chosen by kind, used where the link is the slower part.

Labels shrink 50 to 100 times by zstd, images 1.5 to 2.5 times by lz4 over shuffled bits. Both
libraries release the GIL, and both formats name their decoded size, which is compared with the
declared one before anything is allocated.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from numcodecs import blosc, zstd

from dask_napari.model import Refusal

Codec = Literal["", "zstd", "blosc"]
"""Name of a codec on the wire; the empty one leaves the bytes as they are."""

LEAST: Final = 1 << 10
"""Bytes; smaller arrays gain nothing that a person would notice."""

MOST: Final = 1 << 30
"""Bytes; the Blosc format ends at 2 GiB."""

WORTH: Final = 1.15
"""Ratio below which an array goes as it is: decoding costs the viewer more than it saves."""

RETRY: Final = 64
"""Arrays of a layer after which one that did not shrink is tried again: contents change."""

LEVEL: Final = 1
"""Of zstd: the next one shrinks labels by some per cent more and takes twice as long."""

Buffer = npt.NDArray[np.uint8]


def codec_for(kind: str) -> Codec:
    """Return the codec that does best for a kind of item.

    >>> codec_for("labels"), codec_for("image")
    ('zstd', 'blosc')
    """
    return "zstd" if kind == "labels" else "blosc"


def encode(codec: Codec, array: npt.NDArray[Any]) -> Buffer:
    """Compress a contiguous array.

    Raises Refusal if no codec has that name.

    >>> array = np.zeros((512, 512), np.uint16)
    >>> coded = encode("zstd", array)
    >>> array.nbytes // coded.nbytes > 100, int(decode("zstd", coded, array.nbytes).max())
    (True, 0)
    """
    if codec == "zstd":
        coded = zstd.compress(array.reshape(-1).view(np.uint8), LEVEL)
    elif codec == "blosc":
        coded = blosc.compress(
            array.reshape(-1).view(np.uint8), b"lz4", 5, blosc.BITSHUFFLE, typesize=array.itemsize
        )
    else:
        raise Refusal("codec that is not known")
    return np.frombuffer(coded, np.uint8)


def decode(
    codec: str, data: Buffer, nbytes: int, allocate: Callable[[int], Buffer] | None = None
) -> Buffer:
    """Expand what :func:`encode` made; nothing in ``data`` is believed.

    Nothing is allocated if the data names another size than ``nbytes``, the declared one.

    Raises Refusal if the codec is not known, or the data is not of it or of that size.
    """
    data = np.ascontiguousarray(data)
    if codec not in _sizes:
        raise Refusal("codec that is not known")
    size = _sizes[codec](data)
    if size != nbytes or not 0 < nbytes <= MOST:
        raise Refusal("codec that makes another size than declared")
    target = np.empty(nbytes, np.uint8) if allocate is None else allocate(nbytes)
    try:
        # Both fill no more than the target, and raise where they would have to.
        (zstd if codec == "zstd" else blosc).decompress(data, target)
    except (RuntimeError, ValueError) as error:
        raise Refusal("codec whose data does not decode") from error
    return target


def _zstd_size(data: Buffer) -> int:
    """Return the decoded size that the header of a frame names (RFC 8878, 3.1.1.1)."""
    header = data[:_ZSTD_HEADER].tobytes().ljust(_ZSTD_HEADER, b"\0")
    descriptor = header[4]
    width = (descriptor >> 5 & 1, 2, 4, 8)[descriptor >> 6]
    if header[:4] != _ZSTD_MAGIC or not width:
        raise Refusal("codec whose data does not decode")
    start = 5 + (not descriptor & 0x20) + (0, 1, 2, 4)[descriptor & 3]  # window, dictionary
    size = int.from_bytes(header[start : start + width], "little")
    return size + 256 if width == 2 else size


_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"

_ZSTD_HEADER: Final = 18
"""Bytes at most: magic number, descriptor, window, dictionary and size."""

_BLOSC_HEADER: Final = 16
"""Bytes; see "Blosc header" in the format's description."""


def _blosc_size(data: Buffer) -> int:
    # version, version of the inner codec, flags, item size; decoded, block and coded size.
    if data.nbytes < _BLOSC_HEADER:
        raise Refusal("codec whose data does not decode")
    *_, nbytes, _, coded = struct.unpack("<4B3I", data[:_BLOSC_HEADER].tobytes())
    if coded != data.nbytes:
        raise Refusal("codec whose data does not decode")
    return int(nbytes)


_sizes: Final[dict[str, Callable[[Buffer], int]]] = {"zstd": _zstd_size, "blosc": _blosc_size}


@dataclass(slots=True)
class _CodecRecord:
    """How a codec did on a layer: ratio, and bytes a second of encoding and decoding."""

    ratio: float
    encoding: float
    decoding: float
    skipped: int = 0


_EXPECTED: Final[dict[str, tuple[float, float, float]]] = {
    "zstd": (50.0, 2.0e9, 2.0e9),
    "blosc": (1.6, 2.0e9, 2.5e9),
}
"""What was measured on 2 cores of 2 GHz, until a layer's own figures are there. Decoding happens at
the other end and stays as expected."""

_WEIGHT: Final = 0.3
"""Of the newest array in a layer's figures."""


class Compressor:
    """Decide for each array whether its link is slow enough to be worth a codec.

    A codec pays when the link carries less than ``(1 - 1/R) / (1/E + 1/D)`` bytes a second, for
    a ratio R and the speeds E and D of encoding and decoding. E and R are measured, so that a
    busy worker and a noisy picture both raise the bar.

    >>> labels = np.zeros((512, 512), np.uint16)
    >>> compressor = Compressor()
    >>> compressor.encode("cells", "labels", labels, rate=100e6)[0]
    'zstd'
    >>> compressor.encode("cells", "labels", labels, rate=20e9)[0]
    ''
    """

    def __init__(self) -> None:
        self._records: dict[tuple[str, Codec], _CodecRecord] = {}

    def __repr__(self) -> str:
        return f"<Compressor: {self._records}>"

    def worth(self, layer: str, codec: Codec, rate: float) -> bool:
        """Return whether to compress arrays of a layer at that rate; not if the rate is unknown."""
        record = self._record(layer, codec)
        if record.ratio < WORTH:
            record.skipped += 1
            if record.skipped < RETRY:
                return False
            record.skipped = 0
            return 0 < rate < record.encoding
        gain = (1 - 1 / record.ratio) / (1 / record.encoding + 1 / record.decoding)
        return 0 < rate < gain

    def _record(self, layer: str, codec: Codec) -> _CodecRecord:
        return self._records.setdefault((layer, codec), _CodecRecord(*_EXPECTED[codec]))

    def encode(
        self, layer: str, kind: str, array: npt.NDArray[Any], rate: float
    ) -> tuple[Codec, Buffer]:
        """Return the codec and the bytes to send; the codec is empty if the array goes as it is."""
        codec = codec_for(kind)
        whole = np.ascontiguousarray(array).reshape(-1)
        if not LEAST <= whole.nbytes <= MOST or not self.worth(layer, codec, rate):
            return "", whole.view(np.uint8)
        began = time.perf_counter()
        coded = encode(codec, whole)
        took = max(time.perf_counter() - began, 1e-9)
        record = self._record(layer, codec)
        ratio = whole.nbytes / coded.nbytes
        record.ratio += (ratio - record.ratio) * _WEIGHT
        record.encoding += (whole.nbytes / took - record.encoding) * _WEIGHT
        if ratio < WORTH:
            return "", whole.view(np.uint8)
        return codec, coded
