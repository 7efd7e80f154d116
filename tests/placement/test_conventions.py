"""Conventions read back the names that microscopes write."""

import pickle
import re
import uuid

import numpy as np
import pytest
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from dask_napari import conventions
from dask_napari.conventions import Convention
from dask_napari.model import Refusal, one_well
from dask_napari.placement._patterns import Pattern
from dask_napari.sink import NapariSink
from dask_napari.tap import Tap
from headless import Headless

FIRST_SCANR = {"field": 1, "z": 0, "t": 0, "channel": "DAPI"}
GUID = "836B5662-3526-47FE-A453-0D1775E08D17"


@pytest.mark.parametrize(
    ("convention", "name", "position"),
    [
        # The names are those of public data sets and of readers, see conventions.py.
        (
            "opera-phenix",
            "Images/r01c01f01p01-ch1sk1fk1fl1.tiff",
            {"well": "A01", "field": 1, "z": 1, "channel": 1, "t": 1},
        ),
        (
            "operetta",
            "r16c24f144p05rc1-ch3sk12fk1fl1.tiff",
            {"well": "P24", "field": 144, "z": 5, "channel": 3, "t": 12},
        ),
        (
            "opera-phenix",
            "r32c48f001p01-ch1.tiff",
            {"well": "AF48", "field": 1, "z": 1, "channel": 1},
        ),
        (
            "imagexpress",
            f"ACHN-20X-P009041_B02_s1_w1{GUID}.tif",
            {"plate": "ACHN-20X-P009041", "well": "B02", "field": 1, "channel": 1},
        ),
        (
            "imagexpress",
            "TimePoint_3/ZStep_2/val screen_E07_s1_w427CCB2E4-1BF4-45E7-8BC7-264B48EF9C4A.tif",
            {"t": 3, "z": 2, "plate": "val screen", "well": "E07", "field": 1, "channel": 4},
        ),
        ("imagexpress", "Plate_1_A01.TIF", {"plate": "Plate_1", "well": "A01"}),
        ("imagexpress", "P_A01_w2.tif", {"plate": "P", "well": "A01", "channel": 2}),
        ("imagexpress", f"P_A01_s12{GUID}.tif", {"plate": "P", "well": "A01", "field": 12}),
        (
            "imagexpress",
            "A01_s001_w1_z003_t002.tif",
            {"well": "A01", "field": 1, "channel": 1, "z": 3, "t": 2},
        ),
        (
            "cellvoyager",
            "AssayPlate_Greiner_#655090_C02_T0001F002L01A01Z03C04.tif",
            {
                "plate": "AssayPlate_Greiner_#655090",
                "well": "C02",
                "t": 1,
                "field": 2,
                "z": 3,
                "channel": 4,
            },
        ),
        (
            "incell",
            "A - 01(fld 1 wv DAPI - DAPI).tif",
            {"well": "A01", "field": 1, "channel": "DAPI - DAPI"},
        ),
        (
            "incell",
            "A - 1(fld 1 wv UV - DAPI z 3 time 2 - 2636ms).tif",
            {"well": "A01", "field": 1, "channel": "UV - DAPI", "z": 3, "t": 2},
        ),
        (
            "incell",
            "Plate1_HA41_P - 24(fld 01 wv 390 - Blue).tif",
            {"plate": "Plate1_HA41", "well": "P24", "field": 1, "channel": "390 - Blue"},
        ),
        (
            "incell",
            "C - 6(fld 1 wv TL - Bright field - open z 01).tif",
            {"well": "C06", "field": 1, "channel": "TL - Bright field - open", "z": 1},
        ),
        ("incell", "A - 13(fld 2).tif", {"well": "A13", "field": 2}),
        (
            "micro-manager",
            "/d/Default/img_channel001_position002_time000000085_z003.tif",
            {"channel": 1, "position": 2, "t": 85, "z": 3},
        ),
        (
            "micro-manager",
            "/d/Pos0/img_000000012_561 nm_004.tif",
            {"position": "Pos0", "t": 12, "channel": "561 nm", "z": 4},
        ),
        ("micro-manager", "img_000000000_DAPI_000.tif", {"t": 0, "channel": "DAPI", "z": 0}),
        (
            "muvi",
            "raw/stack_1-x00-y00_channel_0_obj_left/Cam_Left_00012.lux.h5",
            {"stack": "1-x00-y00", "channel": 0, "objective": "left", "camera": "Left", "t": 12},
        ),
        (
            "muvi",
            "Stack_2_Channel_1/Cam_Right_00003.h5",
            {"stack": 2, "channel": 1, "camera": "Right", "t": 3},
        ),
        # Wells in lower case, without padding, or in parts; paths of Windows.
        (
            "imagexpress",
            f"cdp2bioactives_a01_s1_w1{GUID.lower()}.tif",
            {"plate": "cdp2bioactives", "well": "A01", "field": 1, "channel": 1},
        ),
        ("imagexpress", "P_A1_s1_w1.TIF", {"plate": "P", "well": "A01", "field": 1, "channel": 1}),
        (
            "cellvoyager",
            "P_A01.a1_T0001F001L01A01Z01C01.tif",
            {"plate": "P", "well": "A01", "t": 1, "field": 1, "z": 1, "channel": 1},
        ),
        (
            "opera-phenix",
            r"D:\x\r02c02f01p01-ch1sk1fk1fl1.tiff",
            {"well": "B02", "field": 1, "z": 1, "channel": 1, "t": 1},
        ),
        (
            "opera-phenix",
            "r01c01f01p01-ch1sk1fk1fl1_outlines.png",
            {"well": "A01", "field": 1, "z": 1, "channel": 1, "t": 1},
        ),
        (
            "cq1",
            "Image/W0061F0002T0003Z004C1.tif",
            {"well": 61, "field": 2, "t": 3, "z": 4, "channel": 1},
        ),
        (
            "cellvoyager",
            "Projection/W0001F0001T0001Z000C1.tif",
            {"well": 1, "field": 1, "t": 1, "z": 0, "channel": 1},
        ),
        (
            "incell",
            "A_01_f2_c1_xUV_mDAPI_z3_t2.tif",
            {"well": "A01", "field": 2, "channel": "1", "z": 3, "t": 2},
        ),
        (
            "scanr",
            "data/F1--W00061--P00001--Z00000--T00002--FITC.tif",
            {"well": "F01", "field": 1, "z": 0, "t": 2, "channel": "FITC"},
        ),
        (
            "scanr",
            "bfa--W00028--P00001--Z00000--T00000--nucleus-dapi.tif",
            {
                "plate": "bfa",
                "well": 28,
                "field": 1,
                "z": 0,
                "t": 0,
                "channel": "nucleus-dapi",
            },
        ),
        ("scanr", "--W00088--P00001--Z00000--T00000--DAPI.tif", {"well": 88, **FIRST_SCANR}),
        (
            "cellomics",
            "MFGTMP_140206180002_A01f00d0.TIF",
            {"plate": "MFGTMP_140206180002", "well": "A01", "field": 0, "channel": 0},
        ),
        (
            "cx7",
            "MFGTMP-PC140320150001_P24f03d2.C01",
            {"plate": "MFGTMP-PC140320150001", "well": "P24", "field": 3, "channel": 2},
        ),
        (
            "cytation",
            "A1_02_1_3_Phase Contrast_001.tif",
            {"well": "A01", "step": 2, "field": 3, "channel": "Phase Contrast", "t": 1},
        ),
        (
            "cytation",
            "A1_-2_1_1_Tsf[Stitched[Channel1 300,400]]_001.tif",
            {
                "well": "A01",
                "step": -2,
                "field": 1,
                "channel": "Tsf[Stitched[Channel1 300,400]]",
                "t": 1,
            },
        ),
        (
            "cytation",
            "B2_02_SP10Z10_C1_Bright Field_T001.tif",
            {"well": "B02", "step": 2, "field": 10, "z": 10, "channel": "Bright Field", "t": 1},
        ),
        (
            "incucyte",
            "MiaPaCa2-PhaseOriginal_A2_1_03d06h40m.tif",
            {"channel": "MiaPaCa2-PhaseOriginal", "well": "A02", "field": 1, "t": "03d06h40m"},
        ),
        (
            "incucyte",
            "A172_Phase_C7_1_00d00h00m_3.tif",
            {"channel": "A172_Phase", "well": "C07", "field": 1, "t": "00d00h00m", "tile": 3},
        ),
        (
            "incucyte",
            "green_H12_4_2023y09m22d_22h30m.tif",
            {"channel": "green", "well": "H12", "field": 4, "t": "2023y09m22d_22h30m"},
        ),
        (
            "incucyte",
            "EssenFiles/ScanData/2210/11/1530/1234/A1-2-Ph.tif",
            {"t": "2210/11/1530", "plate": "1234", "well": "A01", "field": 2, "channel": "Ph"},
        ),
        ("ome-zarr", "week 1.zarr/B/3/0", {"plate": "week 1", "well": "B03", "field": 0}),
        ("ome-zarr", "P1.ome.zarr/AF/48/12/s0", {"plate": "P1", "well": "AF48", "field": 12}),
        ("cell-tracking-challenge", "01/t003.tif", {"sequence": 1, "t": 3}),
        (
            "cell-tracking-challenge",
            "Fluo-N2DH-SIM+/02_GT/TRA/man_track012.tif",
            {"sequence": 2, "t": 12},
        ),
        (
            "cell-tracking-challenge",
            "01_GT/SEG/man_seg_003_017.tif",
            {"sequence": 1, "t": 3, "z": 17},
        ),
        ("cell-tracking-challenge", "01_RES/mask1234.tif", {"sequence": 1, "t": 1234}),
        ("muvi", "Cam_Left_00001.h5", {"camera": "Left", "t": 1}),
        (
            "muvi",
            "task_C/uni_tp-4_ch-1_st-0_obj-right_cam-right_etc.lux.h5",
            {"t": 4, "channel": 1, "stack": 0, "objective": "right", "camera": "right"},
        ),
    ],
)
def test_names_of_microscopes(convention, name, position):
    matcher = conventions.named(convention)
    assert matcher.match(name) == position
    assert set(position) <= set(matcher.fields)
    # Further folders change nothing, nor does a suffix that is not there. (That of a plain name
    # is Micro-Manager's position.)
    if "/" in name or convention != "micro-manager":
        assert matcher.match(f"/data/{name}") == position
    assert matcher.match(re.sub(r"\.[A-Za-z]\w*$", "", name)) == position


number = st.integers(1, 99)
columns = st.integers(1, 48)
plates = st.from_regex(r"[A-Za-z0-9#-]{1,8}(_[A-Za-z0-9#-]{1,8}){0,2}", fullmatch=True)
rows = st.integers(1, 32)
guids = st.uuids().map(lambda found: str(found).upper())


def letters(row):
    # By counting, not by the arithmetic of the code.
    names = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *("A" + second for second in "ABCDEF")]
    return names[row - 1]


@given(rows, columns, number, number, st.integers(1, 9), number)
def test_opera_phenix_reads_what_harmony_writes(row, column, field, plane, channel, t):
    name = f"r{row:02d}c{column:02d}f{field:02d}p{plane:02d}-ch{channel}sk{t}fk1fl1.tiff"
    well = f"{letters(row)}{column:02d}"
    expected = {"well": well, "field": field, "z": plane, "channel": channel, "t": t}
    assert conventions.OPERA_PHENIX.match(name) == expected


@given(plates, rows, columns, number, st.integers(1, 9), st.one_of(st.just(""), guids))
def test_imagexpress_reads_what_metaxpress_writes(plate, row, column, site, wavelength, guid):
    well = f"{letters(row)}{column:02d}"
    expected = {"plate": plate, "well": well, "field": site, "channel": wavelength}
    name = f"{plate}_{well}_s{site}_w{wavelength}{guid}.tif"
    assert conventions.IMAGEXPRESS.match(name) == expected
    thumbnail = f"{plate}_{well}_s{site}_w{wavelength}_thumb{guid}.tif"
    assert conventions.IMAGEXPRESS.match(thumbnail) is None


@given(plates, rows, columns, st.integers(1, 9999), number, number, number)
def test_cellvoyager_reads_what_it_writes(plate, row, column, t, field, plane, channel):
    well = f"{letters(row)}{column:02d}"
    name = f"{plate}_{well}_T{t:04d}F{field:03d}L01A02Z{plane:02d}C{channel:02d}.tif"
    expected = {"well": well, "t": t, "field": field, "z": plane, "channel": channel}
    assert conventions.CELLVOYAGER.match(name) == {"plate": plate, **expected}


filters = st.sampled_from(["UV - DAPI", "Blue - FITC", "TL-Brightfield - Cy3", "390 - Blue"])


@given(rows, number, number, filters, number, number)
def test_incell_reads_what_it_writes(row, column, field, channel, plane, t):
    name = f"{letters(row)} - {column:02d}(fld {field} wv {channel} z {plane} time {t} - 7ms).tif"
    expected = {"well": f"{letters(row)}{column:02d}", "field": field, "channel": channel}
    assert conventions.INCELL.match(name) == {**expected, "z": plane, "t": t}


@given(number, number, number, number, st.sampled_from(["DAPI", "Cy5.5", "a_b", "561 nm"]))
def test_micro_manager_reads_both_versions(channel, position, t, plane, dye):
    name = f"img_channel{channel:03d}_position{position:03d}_time{t:09d}_z{plane:03d}.tif"
    expected = {"channel": channel, "position": position, "t": t, "z": plane}
    assert conventions.MICRO_MANAGER.match(name) == expected
    name = f"1-Pos_{position:03d}_000/img_{t:09d}_{dye}_{plane:03d}.tif"
    expected = {"position": f"1-Pos_{position:03d}_000", "t": t, "channel": dye, "z": plane}
    assert conventions.MICRO_MANAGER.match(name) == expected


@given(rows, columns, st.data())
def test_a_well_is_one_however_it_is_written(row, column, data):
    spelled = data.draw(st.sampled_from([letters(row), letters(row).lower()]))
    spelled += str(column).zfill(data.draw(st.integers(1, 3)))
    spelled += data.draw(st.sampled_from(["", ".a1"]))
    well = f"{letters(row)}{column:02d}"
    names = {
        "imagexpress": f"P_{spelled}_s1_w1.tif",
        "cellvoyager": f"P_{spelled}_T0001F001L01A01Z01C01.tif",
        "cytation": f"{spelled}_01_1_1_DAPI_001.tif",
        "incucyte": f"Phase_{spelled}_1_00d06h00m.tif",
        "scanr": f"{spelled}--W00015--P00001--Z00000--T00000--DAPI.tif",
        "cellomics": f"P_{spelled}f00d0.C01",
        # A plate may have underscores of its own.
        "{plate}_{well}_s{field:d}.tif": f"week_1_{spelled}_s1.tif",
        "{plate}/{well}/{channel}.tif": f"/data/P/{spelled}/DAPI.tif",
    }
    for at, name in names.items():
        assert Tap("read", at=at).place("read-1", None, (name,))["well"] == well
    assert one_well(spelled) == well


def test_a_pattern_reads_other_texts_as_a_well_where_a_name_has_none():
    tap = Tap("read", at="{plate}_{well}_s{field:d}.tif")
    assert tap.place("", None, ("P1_control_s1.tif",))["well"] == "control"
    assert tap.place("", None, ("Week1_22123_b2_s1.tif",)) == {
        "plate": "Week1_22123",
        "well": "B02",
        "field": 1,
    }


@given(st.sampled_from(conventions.names()), st.text())
def test_any_name_is_read_or_explained(convention, name):
    matcher = conventions.named(convention)
    assert matcher.match(name) is None or set(matcher.match(name)) <= set(matcher.fields)
    assert "expects" in str(matcher.mismatch(name))


@pytest.mark.parametrize("convention", conventions.names())
@given(example=st.data())
def test_a_name_cut_short_or_longer_is_explained(convention, example):
    name = {
        "opera-phenix": "r01c01f01p01-ch1sk1fk1fl1",
        "operetta": "r01c01f01p01-ch1",
        "imagexpress": "P1_A01_s1_w1",
        "cellvoyager": "P1_A01_T0001F001L01A01Z01C01",
        "incell": "A - 01(fld 1 wv UV - DAPI)",
        "cq1": "W0001F0001T0001Z001C1",
        "scanr": "B3--W00015--P00001--Z00000--T00000--DAPI",
        "cellomics": "P1_A01f00d0",
        "cx7": "P1_A01f00d0",
        "cytation": "A1_01_1_1_DAPI_001",
        "incucyte": "Phase_B3_1_00d06h00m",
        "ome-zarr": "P1.zarr/B/3/0",
        "cell-tracking-challenge": "01_GT/SEG/man_seg000",
        "micro-manager": "img_channel000_position000_time000000000_z000",
        "muvi": "stack_0_channel_0_obj_left/Cam_Left_00000",
    }[convention]
    cut = name[: example.draw(st.integers(0, len(name) - 1))] + example.draw(
        st.sampled_from(["", "?", "~x"])
    )
    matcher = conventions.named(convention)
    if matcher.match(cut) is None:
        mismatch = matcher.mismatch(cut)
        assert mismatch.name.startswith(mismatch.matched)
        assert cut.endswith(mismatch.name)


def test_what_does_not_match_is_explained():
    check = conventions.OPERA_PHENIX.check
    with pytest.raises(
        ValueError,
        match=r"'opera-phenix' matches none of 2 names; 'r01c01fxp01.tiff' matches up to 'r01c01',"
        r" then expects a field such as 'f01', found 'fxp01\.tiff'",
    ):
        check(["Index.idx.xml", "/d/r01c01fxp01.tiff"])
    check(["Index.idx.xml", "r01c01f01p01-ch1sk1fk1fl1.tiff"])
    thumbnail = f"P_A01_s1_w1_thumb{GUID}.tif"
    assert "then expects the end of the name, found '_thumb" in str(
        conventions.IMAGEXPRESS.mismatch(thumbnail)
    )


def test_a_tap_takes_a_convention_or_its_name():
    tap = Tap("read", at=conventions.INCELL, axes={"channel": "layer"})
    assert Tap("read", at="incell", axes={"channel": "layer"}) == tap
    assert list(tap.spec().axes) == ["channel", "plate", "well", "field", "z", "t"]
    assert tap.place("read-1", None, ("/d/B - 03(fld 1).tif",)) == {"well": "B03", "field": 1}
    with pytest.raises(Refusal, match=r"'incell' matches no name.*expects a field such as"):
        tap.place("read-1", None, ("/d/B - 03(field 1).tif",))


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("opera-fenix", "did you mean 'opera-phenix'"),
        ("plate.tif", "has no axis.*there are opera-phenix, operetta"),
        ("", "has no axis"),
    ],
)
def test_a_name_that_is_no_convention(at, words):
    with pytest.raises(ValueError, match=words):
        Tap("read", at=at)


def test_axes_of_a_tap_are_those_of_its_convention():
    with pytest.raises(ValueError, match=r"no axis 'fields' in convention 'imagexpress'.*'field'"):
        Tap("read", at="imagexpress", axes={"fields": "layer"})
    # Outputs may have axes of their own.
    tap = Tap("read", at="imagexpress", axes={"site": "layer"}).compile()
    assert "no output has an axis 'site'" in tap.note_on_axes({"well": "A01", "field": 1})


def test_ones_own_convention_is_registered_and_travels_whole():
    name = f"ours-{uuid.uuid4().hex}"
    mine = Convention(name, [r"W(?P<row>\d)(?P<column>\d\d)", r"-P(?P<field>\d+)"], text=["field"])
    assert conventions.register(name, mine) is mine
    assert name in conventions.names()
    tap = Tap("read", at=name)
    assert tap == Tap("read", at=mine)
    again = pickle.loads(pickle.dumps(tap))
    assert again == tap
    assert again.place("read-1", None, ("W203-P07.tif",)) == {"well": "B03", "field": "07"}
    assert conventions.register(name, "{well}_{field:d}") == Pattern("{well}_{field:d}")


@pytest.mark.parametrize(
    ("name", "matcher", "words"),
    [
        ("incell", "{well}", "'incell' is a convention already"),
        ("", "{well}", "cannot name a convention"),
        ("{well}", "{well}", "cannot name a convention"),
        ("mine", 3, "give a pattern or a Convention"),
        ("mine", "well", "has no axes"),
    ],
)
def test_what_cannot_be_registered(name, matcher, words):
    with pytest.raises((TypeError, ValueError), match=words):
        conventions.register(name, matcher)
    assert "mine" not in conventions.names()


@pytest.mark.parametrize(
    ("forms", "words"),
    [
        ([], "has no axes"),
        (["plate"], "has no axes"),
        (["(?P<well>"], "cannot be read"),
        ([["(?P<well>A)", 3]], "part 3 cannot be used"),
    ],
)
def test_what_is_no_convention(forms, words):
    with pytest.raises((TypeError, ValueError), match=words):
        Convention("mine", *forms)


@pytest.mark.drops("no position")
def test_outputs_of_a_cluster_are_placed_by_a_convention_of_ones_own(capfd):
    def read(path: str) -> np.ndarray:
        return np.full((4, 4), 7, np.uint8)

    mine = Convention("mine", [r"W(?P<row>\d)(?P<column>\d\d)", r"-P(?P<field>\d+)"])
    paths = [f"/data/W2{column:02d}-P{field}.tif" for column in (3, 12) for field in (1, 2)]
    with (
        Headless() as viewer,
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        taps = [Tap("read", layer="raw", at=mine)]
        client.register_plugin(NapariSink(viewer.receiver.addresses, taps=taps))
        futures = client.map(read, [*paths, "/data/W203-Q1.tif"])
        client.gather(futures)
        viewer.until_shown("raw", 4)
        viewer.until_settled()
        placed = [tuple(item.position.values()) for item in viewer.items]
        assert sorted(placed) == [("B03", 1), ("B03", 2), ("B12", 1), ("B12", 2)]
        viewer.until(lambda: viewer.receiver.ledger()["raw"].selected == 5)
        assert viewer.receiver.ledger()["raw"].dropped == {"no position": 1}
    # The worker's log, once and with the reason.
    logged = capfd.readouterr().err
    assert logged.count("'W203-Q1.tif' matches up to 'W203', then expects '-P") == 1
