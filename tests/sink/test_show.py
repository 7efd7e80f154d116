"""``dask_napari.show``: from inside tasks on a real cluster, and where there is none."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import dask_napari as dn
from dask_napari.sink import SINK_NAME, NapariSink
from dask_napari.tap import Tap
from headless import Headless

IMAGE = np.zeros((8, 8), np.uint8)

BAD = [
    ({}, "layer"),
    ({"layer": None}, "layer=None"),
    ({"layer": ""}, "layer=''"),
    ({"layer": "a", "kind": "imagee"}, "did you mean 'image'"),
    ({"layer": "a", "at": {}}, "is not a position"),
    ({"layer": "a", "at": "{well}"}, "is not a position"),
    ({"layer": "a", "at": {"t": None}}, "coordinate None"),
    ({"layer": "a", "at": {"y": slice(5, 5)}}, "is not a range of pixels"),
    ({"layer": "a", "axes": {"t": "layers"}}, "mode 'layers'"),
    ({"layer": "a", "options": {"colourmap": "red"}}, "did you mean 'colormap'"),
    ({"layer": "a", "policy": "newest"}, "policy='newest'"),
    ({"layer": "a", "sizes": "both"}, "sizes='both'"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_arguments_are_checked_without_a_viewer(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        dn.show(IMAGE, **arguments)


def test_without_a_worker_nothing_happens():
    assert dn.show(IMAGE, layer="a") is False
    assert dn.show("no picture", layer="a", at={"t": 1}) is False
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(dn.show(IMAGE, layer="a")))
    thread.start()
    thread.join()
    assert answers == [False]


def test_the_name_stays_a_function():
    import dask_napari.sink._show

    assert dn.show is dask_napari.sink._show.show
    assert dn.show is dn.show


@pytest.mark.errors("RuntimeError.*a bug")
def test_an_error_of_ours_does_not_reach_the_task(monkeypatch, caplog):
    def broken(*_: object) -> bool:
        raise RuntimeError("a bug")

    monkeypatch.setattr("dask_napari.sink._show.show_in_sinks", broken)
    monkeypatch.setenv("DASK_NAPARI_STRICT", "0")
    assert dn.show(IMAGE, layer="a") is False
    assert "the task goes on" in caplog.text


def steps(n: int) -> list[bool]:
    image = np.zeros((8, 8), np.uint8)
    answers = []
    for step in range(3):
        image[:] = 10 * n + step
        answers.append(dn.show(image, layer="steps", at={"n": n, "step": step}, axes="step"))
    image[:] = 255
    return answers


def test_steps_of_a_task_are_shown_as_they_were(client, viewer):
    assert client.gather(client.map(steps, range(4), pure=False)) == [[True] * 3] * 4
    viewer.until_shown("steps", 12)
    for place, data in viewer.seen["steps"].items():
        position = dict(place[-1])
        assert (data == 10 * position["n"] + position["step"]).all()
    assert viewer.receiver.ledger().balanced


def laid_out(n: int) -> bool:
    return dn.show(
        np.full((4, 4), n, np.uint8),
        layer="wells",
        at={"well": f"A0{n}", "channel": 1},
        axes=[dn.mosaic("well", plate=96), dn.channels("channel", {1: "DAPI"})],
        options={"opacity": 0.5},
        sizes="separate",
        fill=3,
    )


def test_the_layer_is_told_what_the_call_says(client, viewer):
    assert client.gather(client.map(laid_out, [1, 2], pure=False)) == [True, True]
    viewer.until_shown("wells", 2)
    spec = viewer.receiver.layers()["wells"]
    assert dict(spec.axes) == {"well": "mosaic", "channel": "layer"}
    assert spec.layouts["well"].plate == 96
    assert spec.layouts["channel"].colors == {"1": "blue"}
    assert (spec.options, spec.sizes, spec.fill) == ({"opacity": 0.5}, "separate", 3.0)


def tile(n: int) -> bool:
    at = {"well": "A01", "y": slice(4 * n, 4 * n + 4), "x": slice(0, 4)}
    return dn.show(np.full((4, 4), n, np.uint8), layer="tiles", at=at)


def test_tiles_have_their_place_in_a_larger_image(client, viewer):
    assert client.gather(client.map(tile, range(3), pure=False)) == [True] * 3
    viewer.until_shown("tiles", 3)
    assert sorted(item.origin for item in viewer.items) == [(0, 0), (4, 0), (8, 0)]
    assert {tuple(item.position.items()) for item in viewer.items} == {(("well", "A01"),)}


def refused(number: int) -> str:
    arguments, _ = BAD[number]
    try:
        dn.show(IMAGE, **arguments)
    except (TypeError, ValueError) as error:
        return str(error)
    return "nothing"


def test_arguments_are_checked_as_much_with_a_viewer(client, viewer):
    found = client.gather(client.map(refused, range(len(BAD)), pure=False))
    for message, (_, words) in zip(found, BAD, strict=True):
        assert words in message
    assert client.submit(tile, 0, pure=False).result() is True
    viewer.until_shown("tiles", 1)
    assert viewer.receiver.ledger().total.selected == 1


@pytest.mark.drops("not an array")
def test_what_cannot_be_shown_is_only_counted(client, viewer):
    def unshowable(n: int) -> str:
        dn.show("no picture", layer="a", at={"n": n})
        return "done"

    assert client.gather(client.map(unshowable, range(3), pure=False)) == ["done"] * 3
    viewer.until(lambda: viewer.receiver.ledger().total.selected == 3)
    viewer.until_settled()
    assert viewer.receiver.ledger()["a"].dropped == {"not an array": 3}


def refined(path: str) -> np.ndarray:
    for step in range(2):
        dn.show(np.full((4, 4), step, np.uint8), layer="steps", at={"step": step})
    dn.show(np.zeros((4, 4), np.uint8), layer="moved", at={"well": "H12"})
    return np.zeros((4, 4), np.uint8)


def test_what_a_task_shows_is_at_the_place_of_the_task(client):
    """The position of a call adds to the one that a tap reads for the task, and wins over it."""
    wells = ["A01", "B02"]
    with Headless() as viewer:
        taps = [Tap("refined", layer="refined", at="{well}.tif", kind="image")]
        client.register_plugin(NapariSink(viewer.receiver.addresses, taps=taps))
        try:
            client.gather(client.map(refined, [f"/d/{well}.tif" for well in wells], pure=False))
            viewer.until_shown("steps", 4)
            viewer.until_shown("moved", 1)
            viewer.until_shown("refined", 2)
            places = {tuple(item.position.items()) for item in viewer.items}
            assert places == {
                *((("well", well), ("step", step)) for well in wells for step in range(2)),
                *((("well", well),) for well in [*wells, "H12"]),
            }
        finally:
            client.unregister_worker_plugin(SINK_NAME)


def test_a_tap_on_the_layer_says_what_the_layer_is(client):
    with Headless() as viewer:
        tap = Tap("nothing", layer="wells", axes={"well": "layer"})
        client.register_plugin(NapariSink(viewer.receiver.addresses, taps=[tap]))
        try:
            assert client.submit(laid_out, 1, pure=False).result() is True
            viewer.until_shown("wells", 1)
            assert dict(viewer.receiver.layers()["wells"].axes) == {"well": "layer"}
        finally:
            client.unregister_worker_plugin(SINK_NAME)
