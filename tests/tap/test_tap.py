"""Taps choose outputs, place them, and refuse what cannot work at the call."""

import dataclasses
import inspect
import typing
import warnings

import cloudpickle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.coerce import coerce
from dask_napari.conventions import named
from dask_napari.model import KINDS, LAYER_OPTIONS, LayerSpec, Refusal
from dask_napari.placement import ChunkGrid
from dask_napari.tap import Tap, TapOptions, TapSet, channels, mosaic

SITE = "{plate}_{well}_s{field:d}_w{channel:d}.tif"
IMAGE = np.zeros((4, 4), "uint8")


class FakeFuture:
    status = "finished"

    def __init__(self, key):
        self.key = key


@pytest.mark.parametrize(
    ("select", "key", "prefix", "chosen"),
    [
        ("segment", "segment-1f", "segment", True),
        ("segment", "segment-nuclei-1f", "segment-nuclei", False),
        ("segment-1f", "segment-1f", "segment", True),
        ("segment-2a", "segment-1f", "segment", False),
        (("x-1f", 0, 1), ("x-1f", 0, 1), "x", True),
        (("x-1f", 0, 1), ("x-1f", 1, 1), "x", False),
        (["a", ("x-1f", 0, 1)], ("x-1f", 0, 1), "x", True),
        ([FakeFuture("segment-1f")], "segment-1f", "segment", True),
        (FakeFuture("segment-1f"), "segment-1f", "segment", True),
        (np.ndarray, "anything", "anything", True),
        (dict, "anything", "anything", False),
        (lambda key: str(key).endswith("1f"), "segment-1f", "segment", True),
        (lambda key: str(key).endswith("1f"), "segment-2a", "segment", False),
    ],
)
def test_select(select, key, prefix, chosen):
    tap = Tap(select)
    assert tap.matches(key, prefix, IMAGE) is chosen
    chooses = [tap.compile()] if chosen else []
    assert TapSet([tap]).select(key, prefix, np.ndarray) == chooses


def test_select_by_dask_collection():
    da = pytest.importorskip("dask.array")
    array = da.zeros((4, 4), chunks=2)
    keys = [key for row in array.__dask_keys__() for key in row]
    taps = TapSet([Tap(array)])
    assert [len(taps.select(key, "zeros", np.ndarray)) for key in keys] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "image "}, "did you mean 'image'"),
        ({"kind": "point"}, "did you mean 'points'"),
        ({"kind": "points", "rgb": True}, "rgb=True"),
        ({"kind": "points", "options": {"sise": 3}}, "did you mean 'size'"),
        ({"kind": "points", "options": {"features": {}}}, "come with what the tasks return"),
        ({"kind": "shapes", "options": {"shape_type": "path"}}, "'polygon'"),
        ({"kind": "tracks", "options": {"graph": {}}}, "tracks, graph"),
        ({"kind": "vectors", "options": {"colormap": "red"}}, "vectors layers"),
        ({"policy": "newest"}, "policy='newest'"),
        ({"copy": "deep"}, "copy='deep'"),
        ({"layer": ""}, "layer=''"),
        ({"layer": 3}, "layer=3"),
        ({"at": "plate.tif"}, "has no axis"),
        ({"at": 3}, "at=3 cannot place outputs; give a pattern"),
        ({"at": SITE, "axes": {"wells": "slider"}}, "no axis 'wells'.*plate, well"),
        ({"at": SITE, "axes": {"well": "mosaik"}}, "mode 'mosaik'"),
        ({"scale": "wide"}, "scale='wide'"),
        ({"scale": (1, 0)}, "zero"),
        ({"scale": float("nan")}, "not finite"),
        ({"units": 3}, "units=3"),
        ({"units": [""]}, "unit names"),
        ({"options": {"colourmap": "red"}}, "did you mean 'colormap'"),
        ({"options": {"scale": 2}}, "scale= of the tap"),
        ({"options": {"colormap": object()}}, "cannot be sent"),
        ({"kind": "labels", "options": {"gamma": 2}}, "labels layers"),
        ({"kind": "labels", "rgb": True}, "rgb=True"),
        ({"sizes": "separated"}, "did you mean 'separate'"),
        ({"fill": "black"}, "fill='black'"),
        ({"fill": (0, 1)}, "fill="),
        ({"fill": float("inf")}, "not finite"),
        ({"fill": 1, "kind": "labels"}, "fill=1.* is for images"),
        ({"kind": "points", "columns": ["y", "x"]}, "is not a mapping"),
        ({"kind": "points", "columns": {"Y": "row"}}, "'Y' is no coordinate of points; give .*'y'"),
        ({"kind": "points", "columns": {"y": "row"}}, "lacks 'x'"),
        ({"kind": "points", "columns": {"y": "a", "x": "a"}}, "one column two meanings"),
        ({"kind": "points", "columns": {"y": 0, "x": 1}}, "0 is not the name of a column"),
        ({"kind": "shapes", "columns": {"ymin": "top", "xmin": "left"}}, "lacks 'ymax', 'xmax'"),
        ({"kind": "vectors", "columns": {"dy": "v"}}, "lacks 'dx'"),
        ({"columns": {"y": "row", "x": "col"}}, "is for tables, and kind is 'image'"),
        ({"contrast": "frames"}, "did you mean 'frame'"),
        ({"contrast": "first", "kind": "labels"}, "contrast='first' is for images"),
    ],
)
def test_bad_arguments_are_refused_at_the_call(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        Tap("segment", **arguments)


@pytest.mark.parametrize("select", ["", [], None, [None], True, object()])
def test_bad_select_is_refused(select):
    with pytest.raises((TypeError, ValueError), match="select="):
        Tap(select)


def test_the_options_for_type_checkers_are_those_of_a_tap():
    parameters = dict(inspect.signature(Tap).parameters)
    del parameters["select"]
    assert typing.get_type_hints(TapOptions).keys() == parameters.keys()
    of_a_tap = typing.get_type_hints(Tap)
    for name, kind in typing.get_type_hints(TapOptions).items():
        assert kind == of_a_tap[name], name


def test_the_part_and_the_columns_travel_with_a_tap():
    tap = Tap("detect", kind="points", value=lambda out: out[0], columns={"y": "n", "x": "e"})
    other = cloudpickle.loads(cloudpickle.dumps(tap))
    output = [{"n": [1.0], "e": [2.0]}]
    item = coerce(other.compile().value(output), kind="points", columns=other.compile().columns)
    assert item.data.tolist() == [[1, 2]]
    assert "columns={'y': 'n', 'x': 'e'}" in repr(other)
    assert Tap("a", value=0) == Tap("a", value=0) != Tap("a", value=1)
    columns = {"kind": "points", "columns": {"y": "n", "x": "e"}}
    assert Tap("a", **columns) == Tap("a", **columns) != Tap("a", kind="points")


def test_layer_is_named_after_the_task():
    assert Tap("segment").layer == "segment"
    assert Tap(np.ndarray).layer == "dask"
    assert Tap("segment", layer="cells").layer == "cells"


def test_spec_has_named_axes_first_and_every_field():
    tap = Tap("read", layer="raw", at=SITE, axes={"channel": "layer", "well": "slider"})
    expected = {"channel": "layer", "well": "slider", "plate": "slider", "field": "slider"}
    assert tap.spec() == LayerSpec("raw", "image", expected, {})
    assert list(tap.spec().axes) == list(expected)


def test_spec_says_how_axes_are_laid_out():
    axes = [mosaic("well", plate=96), channels("channel", names={1: "DAPI"})]
    tap = Tap("read", at=SITE, axes=axes, sizes="separate", fill=7, contrast="frame")
    spec = tap.spec()
    assert spec.axes == {
        "well": "mosaic",
        "channel": "layer",
        "plate": "slider",
        "field": "slider",
    }
    assert spec.layouts["well"].plate == 96
    assert spec.layouts["channel"].colors == {"1": "blue"}
    assert set(spec.layouts) == {"well", "channel"}
    assert (spec.sizes, spec.fill, spec.contrast) == ("separate", 7.0, "frame")


def test_layouts_survive_a_changed_copy_of_the_tap_and_the_way_to_the_worker():
    tap = Tap("read", at=SITE, axes=mosaic("field", grid=(2, 2)))
    again = cloudpickle.loads(cloudpickle.dumps(dataclasses.replace(tap, layer="raw")))
    assert again.spec().layouts == tap.spec().layouts
    assert again.spec().layouts["field"].rows == 2


def test_options_travel_as_plain_data():
    options = {"contrast_limits": np.array([0, 9]), "visible": True, "opacity": np.float32(0.5)}
    assert Tap("a", options=options).spec().options == {
        "contrast_limits": [0, 9],
        "visible": True,
        "opacity": 0.5,
    }


# What a tap may not say, because it comes from elsewhere or is no plain data.
NOT_OPTIONS = {
    *("self", "data", "name", "scale", "translate", "units", "axis_labels", "metadata", "cache"),
    *("rgb", "multiscale", "features", "properties", "feature_defaults", "property_choices"),
    *("ndim", "shape_type", "graph", "shown", "experimental_clipping_planes", "auto_contrast"),
    *("colormaps_dict", "locked_data_level", "texcoords", "texture", "vertex_colors"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_options_are_those_of_napari(kind):
    layers = pytest.importorskip("napari.layers")
    signature = inspect.signature(getattr(layers, kind.capitalize()).__init__)
    assert set(signature.parameters) - NOT_OPTIONS == LAYER_OPTIONS[kind]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("points", {"size": 3, "symbol": "disc", "face_color": "area", "face_colormap": "magma"}),
        ("points", {"face_contrast_limits": (0, 9), "text": {"string": "{area:.0f}", "size": 8}}),
        ("shapes", {"edge_color": "area", "edge_width": 2, "face_color": "transparent"}),
        ("shapes", {"text": "name", "edge_contrast_limits": [0, 1]}),
        ("tracks", {"tail_length": 50, "color_by": "speed", "colormap": "viridis"}),
        ("vectors", {"edge_color": "speed", "length": 2, "vector_style": "arrow"}),
        ("surface", {"shading": "smooth", "colormap": "gray", "contrast_limits": [0, 1]}),
    ],
)
def test_layers_are_coloured_and_labelled_by_features(kind, options):
    spec = Tap("measure", kind=kind, options=options).spec()
    assert spec.kind == kind
    assert spec.options.keys() == options.keys()


class Reference:
    def __init__(self, key):
        self.key = key


PLACE = {"plate": "P1", "well": "A01", "field": 2, "channel": 1}


@pytest.mark.parametrize(
    ("key", "args", "kwargs"),
    [
        ("read-77", ("/data/P1_A01_s2_w1.tif",), {}),
        ("read-77", (3, ["P1_A01_s2_w1.tif"]), {}),
        ("read-77", (), {"path": "P1_A01_s2_w1.tif"}),
        ("read-P1_A01_s2_w1.tif", (Reference("x"),), {}),
        (("read", "P1_A01_s2_w1.tif"), (), {}),
        ("correct-77", (Reference("read-P1_A01_s2_w1.tif"), 4), {}),
    ],
)
def test_place_by_pattern(key, args, kwargs):
    assert Tap("read", at=SITE).place(key, IMAGE, args, kwargs, "read") == PLACE


def test_own_key_comes_before_those_it_depends_on():
    tap = Tap("correct", at="{well}_s{field:d}")
    placed = tap.place("correct-A02_s1", IMAGE, (Reference("read-A01_s1"),), {}, "correct")
    assert placed == {"well": "A02", "field": 1}


def test_place_without_at_is_left_to_the_data():
    assert Tap("read").place("read-1", IMAGE, (), {}) == {}


def test_place_names_the_pattern_and_the_names_it_met():
    tap = Tap("read", at=SITE)
    with pytest.raises(Refusal, match=r"P1_A01\.tif.*read-77") as error:
        tap.place("read-77", IMAGE, ("/data/P1_A01.tif",), {})
    assert error.value.reason == "no position"


def test_place_by_function():
    tap = Tap("read", at=lambda key, value, args: {"t": np.int64(args[0]), "n": len(value)})
    placed = tap.place("read-77", IMAGE, (7,), {})
    assert placed == {"t": 7, "n": 4}
    assert type(placed["t"]) is int


@pytest.mark.parametrize("answer", [None, {}, 3, {"t": None}, {3: 1}, {"t": float("nan")}])
def test_a_function_that_returns_no_position(answer):
    with pytest.raises(Refusal, match="read-77"):
        Tap("read", at=lambda *_: answer).place("read-77", IMAGE, (), {})


def test_a_function_that_raises():
    with pytest.raises(Refusal, match="IndexError"):
        Tap("read", at=lambda key, value, args: args[9]).place("read-77", IMAGE, (), {})


def test_check_before_the_computation():
    tap = Tap("read", at=SITE)
    tap.check(["/data/P1_A01_s2_w1.tif"])
    with pytest.raises(ValueError, match="matches none"):
        tap.check(["/data/A01.tif"])
    assert "only when they have run" in str(Tap("read").check(["/data/A01.tif"]))


number = st.integers(1, 3)


@given(st.lists(st.tuples(number, number, st.booleans()), min_size=1, unique=True))
def test_check_tells_which_names_share_a_place(fields):
    names = [f"P_{'Bb'[lower]}02_s{field}_r{round}.tif" for field, round, lower in fields]
    tap = Tap("read", at="{plate}_{well}_s{field:d}_r{}.tif")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = tap.check(names)
    by_place = {}
    for name in names:
        place = frozenset(tap.place("read-1", None, (name,)).items())
        by_place.setdefault(place, []).append(name)
    assert {frozenset(at.items()): [*there] for at, there in found.places} == by_place
    shared = [there for there in by_place.values() if len(there) > 1]
    assert [[*there] for _, there in found.collisions] == shared
    assert bool(warned) == bool(shared)
    if shared:
        count = sum(map(len, shared))
        assert f"{count} names fill {len(shared)} place" in str(warned[0].message)
        assert warned[0].filename == __file__
    assert f"{len(names)} of {len(names)} names fill {len(by_place)} place" in str(found)


def test_check_tells_of_collisions_odd_wells_and_misses():
    cycles = [f"/d/r02c07f0{f}p01rc{r}-ch1sk1fk1fl1.tiff" for f in (1, 2) for r in (1, 2, 3)]
    with pytest.warns(UserWarning, match="6 names fill 2 places.*rc1.*rc2.*all at.*'B07'"):
        Tap("read", at="operetta").check(cycles)
    plates = [f"/d/{p}/Images/r01c01f01p01-ch1sk1fk1fl1.tiff" for p in ("PlateA", "PlateB")]
    with pytest.warns(UserWarning, match="2 names fill 1 place,"):
        Tap("read", at="opera-phenix").check(plates)
    with pytest.warns(UserWarning, match="read as a well: 'control'"):
        found = Tap("read", at="{well}_s{field:d}").check(["A1_s1", "control_s1", "notes"])
    assert found.missed == ("notes",)
    assert "no position in 'notes'" in str(found)
    # On a plate, its wells count.
    tap = Tap("read", at="{well}_s{field:d}", axes=mosaic("well", plate=96))
    with pytest.warns(UserWarning, match="read as a well: 'P24'"):
        tap.check(["A1_s1", "P24_s1"])
    with pytest.warns(UserWarning, match="2 names fill 1 place,"):
        Tap("read", at={"t": 1}).check(["a.tif", "b.tif"])
    # An underscore of the plate's name is none of the well's.
    assert not Tap("read", at=SITE).check(["Week1_22123_B02_s1_w1.tif"]).warning


def test_calibration_of_the_tap_reaches_the_item():
    tap = Tap("read", scale=0.65, units="micrometer", translate=(1, 2))
    item = coerce(IMAGE, layer=tap.layer, calibration=tap.compile().calibration)
    assert item.calibration.scale == (0.65, 0.65)
    assert item.calibration.units == ("micrometer", "micrometer")
    assert item.calibration.translate == (1.0, 2.0)


def test_travels_with_its_functions():
    suffix = "1f"
    tap = Tap(lambda key: key.endswith(suffix), at=lambda key, value, args: {"t": args[0]})
    again = cloudpickle.loads(cloudpickle.dumps(tap))
    assert again.matches("segment-1f", "segment", None)
    assert again.place("segment-1f", None, (3,), {}) == {"t": 3}
    by_pattern = Tap("segment", at=SITE)
    assert cloudpickle.loads(cloudpickle.dumps(by_pattern)) == by_pattern


def test_a_tap_is_kept_as_it_was_written_but_holds_no_arrays():
    tap = Tap("read", at="incell", scale=2, axes="z")
    assert (tap.at, tap.scale, tap.axes) == ("incell", 2, "z")
    assert tap == Tap("read", layer="read", at=named("incell"), scale=(2.0,), axes=["z"])
    assert tap != Tap("read", at="incell", scale=3, axes="z")
    assert tap.compile() is tap.compile()
    with pytest.raises(dataclasses.FrozenInstanceError):
        tap.layer = "raw"
    da = pytest.importorskip("dask.array")
    assert isinstance(Tap(da.zeros((4, 4))).select, ChunkGrid)
    assert Tap([FakeFuture("a")]).select == {"a"}


def test_selection_by_type_knows_subclasses_and_unknown_types():
    taps = TapSet([Tap(int)])
    assert [len(taps.select("a", "a", kind)) for kind in (bool, int, str, None)] == [1, 1, 0, 0]


def test_taps_come_in_order_and_once():
    first, second, third = Tap(np.ndarray), Tap("read", layer="a"), Tap(["read-1"], layer="b")
    taps = TapSet([first, second, third])
    chosen = taps.select("read-1", "read", np.ndarray)
    assert chosen == [first.compile(), second.compile(), third.compile()]
    bare = Tap("read")
    assert TapSet([bare]).select("read", "read", np.ndarray) == [bare.compile()]


@pytest.mark.errors("select= of the tap on 'bad' failed")
def test_a_failing_predicate_spares_the_others_and_is_logged_once(caplog):
    good = Tap("read")
    taps = TapSet([Tap(lambda key: key.nothing, layer="bad"), good])
    assert [taps.select("read-1", "read", np.ndarray) for _ in range(3)] == [[good.compile()]] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "'bad'" in caplog.text


def test_one_layer_has_one_kind():
    with pytest.raises(ValueError, match="both 'image' and 'labels'"):
        TapSet([Tap("a", layer="x"), Tap("b", layer="x", kind="labels")])


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"layer": "x" * 2000}, "name too long"),
        ({"layer": "caf\udce9"}, "not Unicode"),
        ({"axes": {"a" * 2000: "slider"}}, "name too long"),
        ({"axes": {f"a{n}": "slider" for n in range(40)}}, "40 axes .* 32 at most"),
        ({"at": "_".join(f"{{a{n}}}" for n in range(40))}, "40 axes .* 32 at most"),
        ({"options": {"colormap": "x" * 70_000}}, "more than 65536 bytes"),
    ],
)
def test_a_layer_that_no_viewer_could_be_told_of_is_refused_at_the_call(wrong, match):
    with pytest.raises(ValueError, match=match):
        Tap("segment", **wrong)
