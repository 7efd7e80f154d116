"""Codecs: what comes out is what went in, or a clear error and no memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numcodecs import blosc, zstd

from dask_napari.model import Item, ItemMeta, Refusal
from dask_napari.stream.wire import Compressor, pack_frames, unpack
from dask_napari.stream.wire._codec import WORTH, decode, encode
from dask_napari.stream.wire.messages import ArrayHeader, ItemHeader
from example_counts import examples

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, max_side=40))


@given(ARRAYS, st.sampled_from(["zstd", "blosc"]))
@settings(max_examples=examples(150))
def test_what_comes_out_is_what_went_in(array, codec):
    out = decode(codec, encode(codec, array), array.nbytes)
    assert out.tobytes() == array.tobytes()


@given(ARRAYS, st.sampled_from(["image", "labels", "points"]))
@settings(max_examples=examples(100))
def test_an_item_is_the_same_behind_any_codec(array, kind):
    item = Item("layer", kind, array, {"t": 1}, arrays={"more": array[..., np.newaxis]})
    compressor = Compressor()
    headers, frames = pack_frames(
        [item, item], lambda item, a: compressor.encode(item.layer, item.kind, a, 1.0)
    )
    for header in headers:
        back = unpack(header, frames, "me")
        assert back.data.tobytes() == array.tobytes()
        assert back.data.dtype == array.dtype
        assert back.data.shape == array.shape
        assert back.arrays["more"].shape == (*array.shape, 1)


@given(st.data(), st.sampled_from(["zstd", "blosc"]))
@settings(max_examples=examples(200))
def test_damaged_bytes_are_an_error_or_an_array_of_the_declared_size(data, codec):
    good = encode(codec, np.arange(5000, dtype=np.uint16) // 7)
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    bad = bad[: data.draw(st.integers(0, len(bad)))]
    try:
        out = decode(codec, np.frombuffer(bytes(bad), np.uint8), 10_000)
    except Refusal:
        return
    assert out.nbytes == 10_000


@pytest.mark.parametrize("codec", ["zstd", "blosc"])
def test_a_bomb_is_refused_before_anything_is_allocated(codec):
    huge = np.zeros(256 << 20, np.uint8)
    if codec == "zstd":
        bomb = np.frombuffer(zstd.compress(huge), np.uint8)
    else:
        bomb = np.frombuffer(blosc.compress(huge, b"zstd", 9), np.uint8)
    assert bomb.nbytes < 2 << 20
    tracemalloc.start()
    try:
        # It says that it is small, and is not.
        with pytest.raises(Refusal, match="another size"):
            decode(codec, bomb, 1000)
        # Nor may its frame tell another size than it makes.
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_frame_without_a_size_is_refused():
    # Magic number, a descriptor without a size, a window of 8 MiB, one last block: 1 MiB of zeros.
    endless = (
        bytes.fromhex("28b52ffd 00 68") + ((1 << 20) << 3 | 0b011).to_bytes(3, "little") + b"\0"
    )
    with pytest.raises(Refusal, match="does not decode"):
        decode("zstd", np.frombuffer(endless, np.uint8), 1 << 20)


@pytest.mark.parametrize("nbytes", [1, 255, 256, 65_791, 65_792, 1 << 20])
def test_a_frame_that_lies_about_its_size_is_refused(nbytes):
    frame = np.frombuffer(zstd.compress(np.zeros(nbytes, np.uint8)), np.uint8)
    assert decode("zstd", frame, nbytes).nbytes == nbytes
    lie = frame.copy()
    lie[6] ^= 1  # in the size, which begins behind the descriptor and perhaps a window
    for said in (nbytes, nbytes - 1, nbytes + 1, nbytes ^ 1, nbytes ^ 256):
        with pytest.raises(Refusal):
            decode("zstd", lie, said)


@pytest.mark.parametrize(
    "header",
    [
        ArrayHeader("data", "|u1", (8,), 0, 8, 0, "pickle", 8),
        ArrayHeader("data", "|u1", (8,), 0, 8, 0, "zstd", 9),
        ArrayHeader("data", "|u1", (8,), 0, 8, 0, "zstd", -1),
        ArrayHeader("data", "|u1", (8,), 4, 8, 0, "blosc", 8),
        ArrayHeader("data", "|u1", (8,), 0, 8, 0, "blosc", 8),
        ArrayHeader("data", "|u1", (1 << 40,), 0, 1 << 40, 0, "zstd", 8),
    ],
)
def test_declarations_that_do_not_fit_are_bad_items(header):
    with pytest.raises(Refusal):
        unpack(
            ItemHeader(1, ItemMeta("raw", "image"), [header]),
            [np.zeros(8, np.uint8)],
            "me",
        )


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 1 << 16, (512, 512), np.uint16)


def test_what_does_not_shrink_goes_as_it_is_and_is_tried_again_later():
    compressor = Compressor()
    array = noise()
    made = []
    for _ in range(200):
        codec, data = compressor.encode("raw", "image", array, 1e6)
        assert not codec
        assert data.tobytes() == array.tobytes()
        made.append(compressor._records["raw", "blosc"].ratio < WORTH)
    assert made[-1]
    smooth = np.zeros((512, 512), np.uint16)
    codecs = [compressor.encode("raw", "image", smooth, 1e6)[0] for _ in range(200)]
    assert codecs[0] == ""
    assert codecs[-1] == "blosc"


@pytest.mark.parametrize(("rate", "codec"), [(1e6, "zstd"), (50e6, "zstd"), (50e9, ""), (0.0, "")])
def test_only_a_link_slower_than_the_codec_is_helped(rate, codec):
    labels = np.repeat(np.arange(64, dtype=np.uint16), 4096).reshape(512, 512)
    compressor = Compressor()
    for _ in range(5):
        assert compressor.encode("cells", "labels", labels, rate)[0] == codec
