"""Patterns read back what ``str.format`` wrote."""

import contextlib
import dataclasses
import pickle
from pathlib import Path

import dask
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.model import one_well
from dask_napari.placement import names_in, names_of_key, references_in
from dask_napari.placement._patterns import Pattern

words = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)
counts = st.integers(0, 9999)
folders = st.lists(st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True), max_size=3)
SITE = "{plate}_{well}_s{field:d}_w{channel:d}"


@given(plate=words, well=words, field=counts, channel=counts, folders=folders)
def test_reads_back_what_format_wrote(plate, well, field, channel, folders):
    wanted = {"plate": plate, "well": well, "field": field, "channel": channel}
    path = "/".join([*folders, SITE.format(**wanted) + ".tif"])
    assert Pattern(SITE + ".tif").match(path) == wanted | {"well": one_well(well)}


@given(well=words, channel=words, suffix=st.sampled_from(["", ".tif", ".ome.tif", ".ome.zarr"]))
def test_suffix_stays_out_of_the_last_field(well, channel, suffix):
    wanted = {"well": one_well(well), "channel": channel}
    assert Pattern("{well}_{channel}").match(f"/data/{well}_{channel}{suffix}") == wanted


@given(plate=words, well=words, field=counts, folders=folders)
def test_slashes_reach_into_folders(plate, well, field, folders):
    path = "/".join(["", *folders, plate, f"{well}_s{field}.tif"])
    wanted = {"plate": plate, "well": one_well(well), "field": field}
    assert Pattern("{plate}/{well}_s{field:d}").match(path) == wanted


@given(st.text())
def test_any_name_is_read_or_refused_without_an_exception(name):
    found = Pattern(SITE).match(name)
    assert found is None or set(found) == {"plate", "well", "field", "channel"}


@given(st.text())
def test_any_text_is_a_pattern_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert Pattern(text).fields


def test_number_with_a_dot_is_no_suffix():
    assert Pattern("img_t{t:g}").match("img_t1.5") == {"t": 1.5}
    assert Pattern("img_t{t:g}").match("img_t1.5.tif") == {"t": 1.5}


def test_anonymous_fields_are_matched_but_are_no_axes():
    pattern = Pattern("{}_{well}_s{field:d}_w{:d}")
    assert pattern.fields == ("well", "field")
    assert pattern.match("P1_A01_s3_w2.tif") == {"well": "A01", "field": 3}


def test_a_date_becomes_text():
    assert Pattern("{day:ti}").match("2024-05-01T10:00:00")["day"].startswith("2024-05-01")


def test_case_counts():
    assert Pattern("Well{well}").match("wellA01") is None


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "has no axes"),
        ("plate.tif", "has no axes"),
        ("{}", "has no axes"),
        ("{well", "cannot be read"),
        ("well}", "cannot be read"),
        ("{a:zz}", "zz"),
        ("{a.b}", "not a plain name"),
        ("{a[x]}", "not a plain name"),
        ("{0}", "not a plain name"),
    ],
)
def test_malformed_pattern_is_refused_with_a_reason(text, hint):
    with pytest.raises(ValueError, match=hint):
        Pattern(text)


def test_check_names_the_pattern_and_a_name():
    pattern = Pattern("{well}_f{field:d}")
    with pytest.raises(ValueError, match=r"matches none of 2 names.*P1_A01_s1\.tif"):
        pattern.check(["P1_A01_s1.tif", "README"])
    pattern.check(["P1_A01_s1.tif", "A01_f1.tif"])
    pattern.check([])


def test_pickles_by_its_text():
    pattern = Pattern(SITE)
    assert pickle.loads(pickle.dumps(pattern)) == pattern


class Reference:
    def __init__(self, key):
        self.key = key


def test_names_are_found_in_nested_arguments():
    arguments = ((Path("/d/A01.tif"), 3, None), {"masks": ["m1.tif", {"deep": "m2.tif"}]})
    assert list(names_in(arguments)) == ["/d/A01.tif", "m1.tif", "m2.tif"]


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    number: int
    path: Path
    masks: tuple = ()


class Slide(msgspec.Struct):
    site: Site


def test_names_are_found_in_dataclasses_and_their_like():
    site = Site(3, Path("/d/A01.tif"), ("m1.tif",))
    for arguments in ((site, {}), Slide(site)):
        assert list(names_in(arguments)) == ["/d/A01.tif", "m1.tif"]
    assert list(names_in((Site,))) == []


def test_a_partition_of_a_bag_has_the_name_of_its_only_element():
    bag = pytest.importorskip("dask.bag")
    names = ["/d/A01.tif", "/d/A02.tif", "/d/A03.tif"]
    for count in (3, 1):
        mapped = bag.from_sequence(names, npartitions=count).map(len)
        graph = dask.optimize(mapped)[0].__dask_graph__()
        nodes = [graph[getattr(graph[key], "target", key)] for key in mapped.__dask_keys__()]
        found = [[n for n in names_in((node.args, node.kwargs)) if "/" in n] for node in nodes]
        assert found == ([[name] for name in names] if count == 3 else [[]])


def test_looking_for_names_is_bounded():
    endless = []
    endless.append(endless)
    assert list(names_in(endless)) == []
    assert len(list(names_in(["x"] * 10_000))) == 64


def test_references_go_by_their_keys():
    arguments = ([Reference("read-A01_s1")], {"mask": Reference(("mask", "A01", 2))})
    assert list(references_in(arguments)) == ["A01_s1", "read-A01_s1", "mask/A01/2", "mask", "A01"]


def test_references_are_found_in_real_graph_nodes():
    spec = pytest.importorskip("dask._task_spec")
    node = spec.Task("k", print, spec.List(spec.TaskRef("read-A01_s1"), "B02.tif"))
    assert "A01_s1" in list(references_in((node.args, node.kwargs)))
    assert list(names_in((node.args, node.kwargs))) == ["B02.tif"]


@pytest.mark.parametrize(
    ("key", "prefix", "first"),
    [
        ("segment-P1_A01", "segment", "P1_A01"),
        ("sum-aggregate-P1_A01", "sum-aggregate", "P1_A01"),
        ("2024-05-01_A01", "2024", "05-01_A01"),
        ("2024-05-01_A01", "", "2024-05-01_A01"),
        (("segment", "P1", 3), "segment", "segment/P1/3"),
        (17, "", "17"),
    ],
)
def test_names_of_a_key(key, prefix, first):
    assert next(names_of_key(key, prefix)) == first


def test_a_tuple_key_reads_as_a_path():
    names = list(names_of_key(("mean-7f", 0, 4), "mean"))
    assert Pattern("{y:d}/{x:d}").first(names) == {"y": 0, "x": 4}


@pytest.mark.parametrize(
    ("pattern", "name", "words"),
    [
        (
            SITE + ".tif",
            "/data/P1_A01_sx_w1.tif",
            "'P1_A01_sx_w1.tif' matches up to 'P1_A01_s', then expects a whole number for 'field',"
            " found 'x_w1.tif'",
        ),
        (
            SITE,
            "P1A01.tif",
            "'P1A01.tif' does not match: expects text for 'plate' and then '_', found 'P1A01.tif'",
        ),
        (SITE, "P1_A01_s1.tif", "up to 'P1_A01_s1', then expects '_w', found '.tif'"),
        (SITE, "P1_A01_s1", "up to 'P1_A01_s1', then expects '_w', found the end of the name"),
        (SITE + ".tif", "P1_A01_s1_w2.tiff", "then expects the end of the name, found 'f'"),
        ("{plate}/{well}_s{field:d}", "P1/A01-s3", "'P1/', then expects text for 'well' and then"),
        ("img{t:g}", "img", "expects a number for 't', found the end of the name"),
        ("{day:ti}", "x", "expects a date or time for 'day', found 'x'"),
        ("{}_{x:d}", "a_b", "up to 'a_', then expects a whole number for 'x', found 'b'"),
        ("{x}_{{{y}", "a_b", "expects text for 'x' and then '_{', found 'a_b'"),
    ],
)
def test_mismatch_says_where_and_why(pattern, name, words):
    assert words in str(Pattern(pattern).mismatch(name))


@given(plate=words, well=words, field=counts, channel=counts, cut=st.integers(0, 40))
def test_a_name_cut_short_fits_up_to_some_point(plate, well, field, channel, cut):
    name = SITE.format(plate=plate, well=well, field=field, channel=channel)[:cut]
    pattern = Pattern(SITE)
    if pattern.match(name) is None:
        mismatch = pattern.mismatch(name)
        assert name.startswith(mismatch.matched)
        assert mismatch.parts <= 7


def test_the_nearest_name_is_explained():
    names = ["README", "P1_A01_sx_w1", "P1_A01"]
    assert Pattern(SITE).explain(names).startswith("'P1_A01_sx_w1' matches up to 'P1_A01_s'")
    assert Pattern(SITE).explain([]) == ""
