"""Each option of a tap, from ``Tap(...)`` to the data of the napari layer."""

from __future__ import annotations

import functools
import typing
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from dask_napari.model import Item, Provenance, Reports, check
from dask_napari.sink._context import SinkContext
from dask_napari.sink._outputs import ShownValue
from dask_napari.stream import Publisher
from dask_napari.tap import Tap, TapOptions, TapSet, mosaic
from dask_napari.viewer.layers import Layers

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8"]
INTEGERS = [dtype for dtype in DTYPES if np.dtype(dtype).kind in "iu"]


def plane(dtype: str = "u1", value: int = 1, shape: tuple[int, ...] = (4, 6)) -> np.ndarray:
    return np.full(shape, value, dtype)


@functools.cache
def context() -> SinkContext:
    """Return the context of a sink that sends nothing."""
    with Publisher("ipc:///nowhere", name="w") as publisher:
        return SinkContext(None, publisher, TapSet(), Reports())


def show(*values: Any, select: Any = "out", **options: Any) -> Any:
    """Show outputs of tasks as a tap says; return the layers, or the only one."""
    tap = Tap(select, **options).compile()
    layers = Layers(ViewerModel())
    for number, value in enumerate(values):
        key = (tap.chunks.name, number, 0, 0) if tap.chunks else f"out-{number}"
        where = functools.partial(tap.rule.placement, key, value)
        output = ShownValue(context(), tap, value, where, Provenance(str(key)), 1)
        for item in output.items():
            assert isinstance(item, Item), item
            layers.put(check(item), tap.spec)
    layers.update(0.0, force=True)
    found = list(layers.viewer.layers)
    return found[0] if len(found) == 1 else found


AT = {"at": lambda key, value, args: {"n": int(key[-1])}}


def check_kind(dtype: str) -> None:
    layer = show(plane(dtype), kind="labels")
    assert type(layer).__name__ == "Labels"
    assert np.array_equal(np.asarray(layer.data).squeeze(), plane(dtype))


def check_layer(dtype: str) -> None:
    assert show(plane(dtype), layer="named").name == "named"


def check_at(dtype: str) -> None:
    layer = show(plane(dtype, 0), plane(dtype, 1), **AT)
    assert layer.axis_labels[0] == "n"
    assert [float(abs(layer.data[n]).max()) for n in range(2)] == [0.0, 1.0]


def check_axes(dtype: str) -> None:
    assert len(show(plane(dtype), plane(dtype), **AT, axes={"n": "layer"})) == 2
    wide = show(plane(dtype), plane(dtype), **AT, axes=mosaic("n", grid=(1, 2)))
    assert np.asarray(wide.data).shape[-2:] == (4, 12)


def check_scale(dtype: str) -> None:
    assert tuple(show(plane(dtype), scale=(0.5, 2)).scale[-2:]) == (0.5, 2.0)


def check_units(dtype: str) -> None:
    layer = show(plane(dtype), units="um", scale=2)
    assert [str(unit) for unit in layer.units[-2:]] == ["micrometer", "micrometer"]


def check_translate(dtype: str) -> None:
    assert tuple(show(plane(dtype), translate=(3, -4)).translate[-2:]) == (3.0, -4.0)


def check_value(dtype: str) -> None:
    layer = show((plane(dtype, 0), "flows", plane(dtype, 1)), value=2)
    assert np.asarray(layer.data).all()


def check_columns(dtype: str) -> None:
    table = {"down": plane(dtype, 1, (3,)), "right": plane(dtype, 0, (3,))}
    layer = show(table, kind="points", columns={"y": "down", "x": "right"})
    assert np.array_equal(layer.data[:, -2:], [[1, 0]] * 3)


def check_rgb(dtype: str) -> None:
    assert show(plane(dtype, 1, (4, 6, 3)), rgb=True).rgb
    assert not show(plane(dtype, 1, (40, 60, 3)), rgb=False).rgb


def check_options(dtype: str) -> None:
    layer = show(plane(dtype), options={"opacity": 0.25, "colormap": "magma"})
    assert (layer.opacity, layer.colormap.name) == (0.25, "magma")


def check_dims(dtype: str) -> None:
    chunks = da.zeros((2, 4, 6), chunks=(1, 4, 6), dtype=dtype)
    parts = [plane(dtype, 1, (1, 4, 6))] * 2
    layer = show(*parts, select=chunks, dims=("z", "down", "x"))
    assert layer.axis_labels == ("z", "down", "x")


def check_sizes(dtype: str) -> None:
    images = plane(dtype), plane(dtype, 1, (8, 8))
    assert show(*images, **AT, sizes="pad").data.shape[-2:] == (8, 8)
    assert len(show(*images, **AT, sizes="separate")) == 2


def check_fill(dtype: str) -> None:
    layer = show(plane(dtype), plane(dtype, 1, (8, 8)), **AT, fill=7)
    small = np.asarray(layer.data[0])
    assert (small[4:] == 7).all()
    assert (abs(small[:4, :6]) == 1).all()


def check_contrast(dtype: str) -> None:
    for mode in ("running", "frame", "first"):
        low, high = show(plane(dtype), contrast=mode).contrast_limits
        assert low < 1 <= high


CHECKS = {name.removeprefix("check_"): f for name, f in globals().items() if name[:6] == "check_"}
OF_LABELS = frozenset({"kind"})
OF_WORKERS = {
    "copy": "sink/test_sink.py::test_a_task_that_reuses_its_buffer_is_copied_eagerly",
    "policy": "stream/send/test_outbox.py"
    "::test_latest_replaces_what_waits_for_the_same_place_and_keeps_its_turn",
}
"""Options that change when an output is read or sent, and nothing of the layer, and their tests."""


def test_each_option_has_a_check():
    """An option that nobody tests on the way to the layer does nothing, sooner or later."""
    assert CHECKS.keys() | OF_WORKERS.keys() == typing.get_type_hints(TapOptions).keys()
    for place in OF_WORKERS.values():
        path, _, name = place.partition("::")
        assert f"def {name}(" in (Path(__file__).parents[2] / path).read_text()


@pytest.mark.parametrize("option", CHECKS)
def test_an_option_reaches_the_layer(option):
    for dtype in INTEGERS if option in OF_LABELS else DTYPES:
        if option == "columns" and np.dtype(dtype).kind in "bc":
            continue  # no coordinates
        CHECKS[option](dtype)
