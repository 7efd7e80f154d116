"""Items of all kinds as a receiver lets them in, and what makes two of them the same."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_napari.model import SHAPE_TYPES, Calibration, Item, PlaceKey, Provenance, check, permitted

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where tests of many small records are; on a disk that others use, a file takes milliseconds."""

layers = st.sampled_from(["raw", "Raw", "../a b/µ", "."])
coordinates = st.one_of(
    st.integers(-3, 300), st.floats(-5, 5, allow_nan=False), st.sampled_from(["A1", "A10", "B2"])
)
positions = st.dictionaries(st.sampled_from(["t", "well", "channel", "n"]), coordinates, max_size=3)
words = st.text(st.characters(codec="utf-8"), max_size=5)
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | words
values = scalars
for _ in range(2):  # within each other; a journal writes three for a mapping
    mappings = st.dictionaries(words | st.integers(0, 9), values, max_size=3)
    values = scalars | st.lists(values, max_size=3) | mappings
names = st.sampled_from(["opacity", "blending", "colormap"])
options = st.dictionaries(names, values, max_size=2)
pixels = ["u1", "<u2", ">i4", "<u8", "<f4", ">f8"]
columns = st.sampled_from(["?", "u1", "<i8", "<f2", ">f4", "<U1", "<U7"])


@st.composite
def features(draw: Any, count: int) -> dict[str, np.ndarray]:
    found = {}
    for name in draw(st.lists(words.filter(bool), max_size=2, unique=True)):
        dtype = np.dtype(draw(columns))
        elements = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=7)
        if dtype.kind == "U":
            values = draw(st.lists(elements, min_size=count, max_size=count))
            found[f"feature:{name}"] = np.array(values, dtype)
        else:
            found[f"feature:{name}"] = draw(hnp.arrays(dtype, count))
    return found


@st.composite
def pictures(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["image", "labels"]))
    ndim = draw(st.integers(2, 5))
    shape = draw(st.tuples(*[st.integers(1, 4)] * ndim))
    rgb = kind == "image" and draw(st.booleans())
    dtype = draw(st.sampled_from(pixels if kind == "image" else pixels[:4]))
    data = draw(hnp.arrays(dtype, (*shape, 3) if rgb else shape))
    names = draw(st.sampled_from(["tczyx", "czyx", "pqryx"]))[-ndim:]
    calibration = Calibration()
    if len(names) == ndim and draw(st.booleans()):
        scale = draw(st.tuples(*[st.sampled_from([1.0, 0.25])] * ndim))
        units = draw(st.sampled_from([(), ("um",) * ndim]))
        calibration = Calibration(tuple(names), scale, (), units)
    arrays = {}
    if kind == "labels" and draw(st.booleans()):
        count = draw(st.integers(0, 4))
        arrays = {**draw(features(count)), "feature:index": np.arange(count)}
    origin: tuple[int, ...] = ()
    array_shape: tuple[int, ...] = ()
    if draw(st.booleans()):
        origin = tuple(
            draw(st.integers(0, 3)) * n + draw(st.sampled_from([0, 0, 1])) for n in shape
        )
        if draw(st.booleans()):
            array_shape = tuple(
                a + n + draw(st.sampled_from([0, n, 1])) for a, n in zip(origin, shape, strict=True)
            )
    return {
        **{"kind": kind, "data": data, "rgb": rgb, "calibration": calibration, "arrays": arrays},
        **{"origin": origin, "array_shape": array_shape},
    }


@st.composite
def elements(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["points", "vectors", "tracks", "shapes", "surface"]))
    n, d = draw(st.integers(0, 9)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if kind == "points":
        return {"kind": kind, "data": rng.random((n, d)), "arrays": draw(features(n))}
    if kind == "vectors":
        return {"kind": kind, "data": rng.random((n, 2, d)), "arrays": draw(features(n))}
    if kind == "tracks":
        data = np.c_[rng.integers(0, 3, (n, 2)), rng.random((n, 2))].astype("f4")
        graph = {"graph": np.array([[data[0, 0]] * 2], "i4")} if n else {}
        return {"kind": kind, "data": data, "arrays": {**graph, **draw(features(n))}}
    if kind == "shapes":
        types = np.array([draw(st.sampled_from([0, 4])) for _ in range(n)], "i4")
        counts = rng.integers(3, 6, n)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        assert SHAPE_TYPES[4] == "path"
        arrays = {"offsets": offsets, "types": types, **draw(features(n))}
        return {"kind": kind, "data": rng.random((offsets[-1], 2)), "arrays": arrays}
    faces = rng.integers(0, n, (n, 3)) if n else np.zeros((0, 3), int)
    return {"kind": kind, "data": rng.random((n, d)), "arrays": {"faces": faces}}


@st.composite
def items(draw: Any) -> Item:
    made = Provenance(draw(words), "tcp://1:2", draw(st.integers(0, 9)), 1.5, 2.5)
    item = Item(
        draw(layers),
        position=draw(positions),
        provenance=made,
        part=draw(st.sampled_from(["", "part"])),
        options=draw(options),
        **draw(pictures() | elements()),
    )
    item.amend(options=permitted(item.kind, item.options))  # as a receiver does
    return check(item)


def last_of_each(sent: Iterable[Item]) -> dict[PlaceKey, Item]:
    """What a viewer would show: the last item of each place."""
    return {item.place: item for item in sent}


def same_array(a: np.ndarray, b: np.ndarray) -> bool:
    same_type = a.dtype.newbyteorder("=") == b.dtype.newbyteorder("=")
    return (
        same_type
        and a.shape == b.shape
        and np.ascontiguousarray(a, a.dtype.newbyteorder("=")).tobytes()
        == np.ascontiguousarray(b, b.dtype.newbyteorder("=")).tobytes()
    )


def assert_same(found: Item, sent: Item) -> None:
    """Everything that belongs to an item is equal; byte order and sender aside."""
    assert found.meta == sent.meta
    # Whole numbers and others are different coordinates to people, though equal.
    assert [(k, type(v), v) for k, v in found.position.items()] == [
        (k, type(v), v) for k, v in sent.position.items()
    ]
    assert same_array(found.data, sent.data)
    assert found.arrays.keys() == sent.arrays.keys()
    for name, array in sent.arrays.items():
        assert same_array(found.arrays[name], array), name


def assert_holds(found: Iterable[Item], sent: Iterable[Item]) -> None:
    """What was found is the last item of each place that was sent, and nothing else."""
    wanted = last_of_each(sent)
    there = list(found)
    assert {item.place for item in there} == wanted.keys()
    assert len(there) == len(wanted)
    for item in there:
        assert_same(item, wanted[item.place])
