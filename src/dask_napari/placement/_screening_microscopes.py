"""Conventions of microscopes that screen plates."""

from __future__ import annotations

from typing import Final

from dask_napari.model import WELL
from dask_napari.placement._convention import Convention

_WELL: Final = (f"(?P<well>{WELL})", "a well such as 'B03'")
_PLATE: Final = (r"(?:(?P<plate>[^/]+?)_)??", "a plate")
_GUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

OPERA_PHENIX: Final = Convention(
    "opera-phenix",
    # r01c01f01p01-ch1sk1fk1fl1.tiff, written by Harmony: row, column, field, plane, channel, time.
    # According to PerkinElmer the other parts are not in use; some versions add "rc1" after the
    # plane. The same names are read by MoBIE (HCSPattern.java), OpenHCS (opera_phenix.py), and
    # are those of the JUMP Cell Painting images. CellProfiler appends "_outlines" and the like.
    [
        (r"r(?P<row>\d{1,2})", "a row such as 'r02'"),
        (r"c(?P<column>\d{1,2})", "a column such as 'c03'"),
        (r"f(?P<field>\d+)", "a field such as 'f01'"),
        (r"p(?P<z>\d+)(?:rc\d+)?", "a plane such as 'p01'"),
        (r"-ch(?P<channel>\d+)", "a channel such as '-ch1'"),
        (r"(?:sk(?P<t>\d+)(?:fk\d+)?(?:fl\d+)?)?", "'sk', 'fk' and 'fl' with numbers"),
        (r"(?:_[^/]*)?", "the end of the name, or an underscore and more"),
    ],
)
"""``r02c03f01p01-ch1sk1fk1fl1.tiff`` of Opera Phenix and Operetta (Harmony)."""

OPERETTA: Final = Convention("operetta", *OPERA_PHENIX.forms)
"""Names of Operetta, which are those of Opera Phenix: both use Harmony."""

# Of a name that has a well alone, nothing but its form says so: "plot_t1.tif" has none.
_SITED_WELL: Final = (
    rf"(?P<well>(?!s\d+_w){WELL}(?=_[swz]\d)|[A-Z]{{1,2}}\d{{2}})",
    "a well such as 'B03'",
)

IMAGEXPRESS: Final = Convention(
    "imagexpress",
    # Plate_A01_s1_w1836B5662-3526-47FE-A453-0D1775E08D17.tif, written by MetaXpress: the GUID
    # follows without a separator; site and wavelength are left out where there is one only, and
    # exports leave out the GUID. Thumbnails (_w1_thumb<GUID>) are not images of the plate. Folders
    # TimePoint_1/ZStep_1 where there are several. Bio-Formats builds the same names
    # (MetaxpressTiffReader.java); the reader of faim-ipa shows the folders.
    [
        (
            r"(?:[Tt]ime[Pp]oint_(?P<t>\d+)/)?(?:ZStep_(?P<z>\d+)/)?(?:(?P<plate>[^/]+?)_)??",
            "a plate",
        ),
        _SITED_WELL,
        (r"(?:_s(?P<field>\d+))?", "a site such as '_s1'"),
        (rf"(?:_w(?P<channel>\d+))?(?:{_GUID})?", "a wavelength such as '_w1'"),
    ],
    # A01_s001_w1_z001_t001.tif: OpenHCS (imagexpress.py) writes planes and times into the name.
    [
        _PLATE,
        _SITED_WELL,
        (r"(?:_s(?P<field>\d+))?(?:_w(?P<channel>\d+))?", "a site or wavelength"),
        (r"_z(?P<z>\d+)(?:_t(?P<t>\d+))?", "a plane such as '_z1'"),
    ],
)
"""``Plate_B03_s1_w2<GUID>.tif`` of ImageXpress (MetaXpress)."""

CQ1: Final = Convention(
    "cq1",
    # W0001F0001T0001Z001C1.tif of CQ1, and W0000F0001T0001Z000C1.tif for projections: the number
    # of the well, field, time, plane, channel. The reader of fractal-uzh-converters shows them.
    [
        (r"W(?P<well>\d{4})", "the number of a well such as 'W0001'"),
        (r"F(?P<field>\d{4})", "a field such as 'F0001'"),
        (r"T(?P<t>\d{4})", "a time such as 'T0001'"),
        (r"Z(?P<z>\d{3,4})", "a plane such as 'Z001'"),
        (r"C(?P<channel>\d+)", "a channel such as 'C1'"),
    ],
)
"""``W0001F0001T0001Z001C1.tif`` of Yokogawa CellVoyager CQ1, which numbers the wells."""

CELLVOYAGER: Final = Convention(
    "cellvoyager",
    # Plate_A01_T0001F001L01A01Z01C01.tif of CV7000 and CV8000: time, field, timeline, action,
    # plane, channel. A channel belongs to one action and one timeline, so they are no axes. Read
    # like this by TissueMAPS (cellvoyager.py), CellCognition and fractal-tasks-core.
    [
        _PLATE,
        _WELL,
        (r"_T(?P<t>\d{4})", "a time such as '_T0001'"),
        (r"F(?P<field>\d{3,4})", "a field such as 'F001'"),
        (r"L\d{2}A\d{2}", "timeline and action such as 'L01A01'"),
        (r"Z(?P<z>\d{2,3})", "a plane such as 'Z01'"),
        (r"C(?P<channel>\d{2})", "a channel such as 'C01'"),
    ],
    *CQ1.forms,
)
"""``Plate_B03_T0001F001L01A01Z01C01.tif`` of Yokogawa CellVoyager CV7000 and CV8000; CQ1's too."""

INCELL: Final = Convention(
    "incell",
    # A - 01(fld 1 wv UV - DAPI z 3 time 2 - 2636ms).tif: filters of excitation and emission, then
    # plane and time where there are several; no filters where there is one channel; exports put
    # a name before it. Built so by Bio-Formats (InCellReader.java).
    [
        (r"(?:(?P<plate>[^/]+)_)?(?P<row>[A-Z]{1,2}) - (?P<column>\d{1,2})", "a well, 'B - 03'"),
        (r"\(fld (?P<field>\d+)", "a field such as '(fld 1'"),
        (r"(?: wv (?P<channel>[^/()]+?))?", "a wavelength such as ' wv DAPI - DAPI'"),
        (r"(?: z (?P<z>\d+))?", "a plane such as ' z 1'"),
        (r"(?: ?-? time (?P<t>\d+) - \d+ ?ms)?", "a time such as ' time 1 - 0ms'"),
        (r"\)", "')'"),
    ],
    # B_03_f2_c1_xUV_mDAPI_z3_t2.tif: the number of the channel, its excitation and emission.
    [
        (r"(?:(?P<plate>[^/]+)_)?(?P<row>[A-Z]{1,2})_(?P<column>\d{1,2})", "a well, 'B_03'"),
        (r"_f(?P<field>\d+)", "a field such as '_f1'"),
        (r"_c(?P<channel>\d+)(?:_x[^/_]+)?(?:_m[^/_]+)?", "a channel such as '_c1_xUV_mDAPI'"),
        (r"(?:_z(?P<z>\d+))?(?:_t(?P<t>\d+))?", "a plane or a time such as '_z3_t2'"),
    ],
    text=("channel",),
)
"""``B - 03(fld 1 wv DAPI - DAPI).tif`` of IN Cell Analyzer 1000 to 6500, and other exports."""

_SCANR_AXES: Final = [
    (r"--P(?P<field>\d{5})", "a position such as '--P00001'"),
    (r"--Z(?P<z>\d{5})", "a plane such as '--Z00000'"),
    (r"--T(?P<t>\d{5})", "a time such as '--T00000'"),
    (r"--(?P<channel>[^/]+)", "a channel such as '--DAPI'"),
]

SCANR: Final = Convention(
    "scanr",
    # A1--W00001--P00001--Z00000--T00000--DAPI.tif: the label and number of the well, position,
    # plane, time and the channel's name. Without a label the number stands for the well. Read by
    # CellCognition (naming_schemas.conf); Bio-Formats builds the same names (ScanrReader.java).
    [
        (rf"(?P<well>{WELL})--W\d{{5}}", "a well such as 'B3--W00015'"),
        *_SCANR_AXES,
    ],
    [
        (r"(?P<plate>[^/]+?)?--W(?P<well>\d{5})", "the number of a well such as '--W00015'"),
        *_SCANR_AXES,
    ],
    text=("channel",),
)
"""``B3--W00015--P00001--Z00000--T00000--DAPI.tif`` of Olympus/Evident ScanR."""

CELLOMICS: Final = Convention(
    "cellomics",
    # MFGTMP_140206180002_A01f00d0.TIF or .C01: the plate's barcode, well, field and channel. Read
    # by Bio-Formats (CellomicsReader.java) and microscopium (cellomics_semantic_filename).
    [
        _PLATE,
        (rf"(?P<well>{WELL})", "a well such as 'A01'"),
        (r"f(?P<field>\d{2,3})", "a field such as 'f00'"),
        (r"d(?P<channel>\d+)(?:o\d+)?", "a channel such as 'd0'"),
    ],
)
"""``MFGTMP_140206180002_A01f00d0.C01`` of Cellomics ArrayScan and CellInsight CX5 and CX7."""

CX7: Final = Convention("cx7", *CELLOMICS.forms)
"""Names of CellInsight CX7, which are those of Cellomics ArrayScan."""

CYTATION: Final = Convention(
    "cytation",
    # A1_01_1_1_DAPI_001.tif, written by Gen5: well, step of the protocol (negative for what Gen5
    # made of one, such as stitched images), channel, image in the well, name of the channel, read.
    # The readers of the Broad's Gen5 pipelines show the form.
    [
        _WELL,
        (r"_(?P<step>-?\d+)(?:Z(?P<z>\d+))?_\d+", "step and channel such as '_01_1'"),
        (r"_(?P<field>\d+)", "an image such as '_1'"),
        (r"_(?P<channel>[^/_][^/]*?)", "the channel's name such as '_DAPI'"),
        (r"_(?P<t>\d{3,})", "a read such as '_001'"),
    ],
    # B2_02_SP10Z10_C1_Bright Field_T001.tif: positions and planes, as macros for Fiji read them.
    [
        _WELL,
        (r"_(?P<step>\d+)", "a step such as '_02'"),
        (r"_(?:SP(?P<field>\d+))?(?:Z(?P<z>\d+))?_C\d+", "position, plane and channel"),
        (r"_(?P<channel>[^/]+)", "the channel's name such as '_DAPI'"),
        (r"_T(?P<t>\d{3,})", "a time such as '_T001'"),
    ],
    text=("channel",),
)
"""``B3_01_1_1_DAPI_001.tif`` of BioTek/Agilent Cytation and Lionheart (Gen5)."""

INCUCYTE: Final = Convention(
    "incucyte",
    # A172_Phase_A7_1_00d00h00m.tif: a name that is chosen for each channel, well, image, and the
    # time since the start or on the clock (2023y09m22d_22h30m). LIVECell cuts each into tiles, of
    # which the number follows. Read by MoBIE (HCSScheme.java) and MRI's Incucyte_Exporter.
    [
        (r"(?:(?P<channel>[^/]+?)_+)?", "the name that was chosen for the channel"),
        _WELL,
        (r"_(?P<field>\d+)", "an image such as '_1'"),
        (
            r"_(?P<t>\d{2,3}d\d{2}h\d{2}m|\d{4}y\d{2}m\d{2}d_\d{2}h\d{2}m)",
            "a time such as '_00d06h00m'",
        ),
        (r"(?:_(?P<tile>\d+))?", "a tile such as '_1'"),
    ],
    # EssenFiles/ScanData/2210/11/1530/1234/A1-1-Ph.tif: as the instrument stores them, in folders
    # for the month, day, hour and vessel.
    [
        (
            r"(?:(?P<t>\d{4}/\d{2}/\d{4})/(?P<plate>\d+)/)?",
            "folders such as '2210/11/1530/1234'",
        ),
        _WELL,
        (r"-(?P<field>\d+)", "an image such as '-1'"),
        (r"-(?P<channel>C\d+|Ph)", "a channel such as '-C1' or '-Ph'"),
    ],
    text=("channel",),
)
"""``Phase_B3_1_00d06h00m.tif`` of Incucyte."""

OME_ZARR: Final = Convention(
    "ome-zarr",
    # plate.zarr/B/3/0 of the OME-NGFF specification (versions 0.4 and 0.5, "Plate layout"): row,
    # column and field, perhaps with the resolution. Read by MoBIE (HCSScheme.java).
    [
        (r"(?:(?P<plate>[^/]+?)(?:\.ome)?\.zarr/)?", "a plate such as 'plate.zarr'"),
        (r"(?P<row>[A-Za-z]{1,2})/(?P<column>\d{1,2})", "a row and a column such as 'B/3'"),
        (r"/(?P<field>\d+)(?:/s?\d)?", "a field such as '0'"),
    ],
)
"""``plate.zarr/B/3/0``: the groups of the images of a plate in OME-Zarr."""
