"""Conventions of microscopes; users have them as :mod:`dask_napari.conventions`.

Not part of the room's face: most taps need none, and a worker should start fast.
"""

from __future__ import annotations

import difflib
from typing import Final

from dask_napari.placement._convention import Convention
from dask_napari.placement._matching import Matcher
from dask_napari.placement._patterns import Pattern

_WELL: Final = (r"(?P<well>[A-Z]{1,2}\d{2})", "a well such as 'B03'")
_GUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

OPERA_PHENIX: Final = Convention(
    "opera-phenix",
    # r01c01f01p01-ch1sk1fk1fl1.tiff, written by Harmony: row, column, field, plane, channel, time.
    # According to PerkinElmer the other parts are not in use; some versions add "rc1" after the
    # plane. The same names are read by MoBIE (HCSPattern.java), OpenHCS (opera_phenix.py), and
    # are those of the JUMP Cell Painting images.
    [
        (r"r(?P<row>\d{1,2})", "a row such as 'r02'"),
        (r"c(?P<column>\d{1,2})", "a column such as 'c03'"),
        (r"f(?P<field>\d+)", "a field such as 'f01'"),
        (r"p(?P<z>\d+)(?:rc\d+)?", "a plane such as 'p01'"),
        (r"-ch(?P<channel>\d+)", "a channel such as '-ch1'"),
        (r"(?:sk(?P<t>\d+)(?:fk\d+)?(?:fl\d+)?)?", "'sk', 'fk' and 'fl' with numbers"),
    ],
)
"""``r02c03f01p01-ch1sk1fk1fl1.tiff`` of Opera Phenix and Operetta (Harmony)."""

OPERETTA: Final = Convention("operetta", *OPERA_PHENIX.forms)
"""Names of Operetta, which are those of Opera Phenix: both use Harmony."""

IMAGEXPRESS: Final = Convention(
    "imagexpress",
    # Plate_A01_s1_w1836B5662-3526-47FE-A453-0D1775E08D17.tif, written by MetaXpress: the GUID
    # follows without a separator; site and wavelength are left out where there is one only, and
    # exports leave out the GUID. Thumbnails (_w1_thumb<GUID>) are not images of the plate. Folders
    # TimePoint_1/ZStep_1 where there are several. Bio-Formats builds the same names
    # (MetaxpressTiffReader.java); the reader of faim-ipa shows the folders.
    [
        (
            r"(?:[Tt]ime[Pp]oint_(?P<t>\d+)/)?(?:ZStep_(?P<z>\d+)/)?(?:(?P<plate>[^/]+)_)?",
            "a plate",
        ),
        _WELL,
        (r"(?:_s(?P<field>\d+))?", "a site such as '_s1'"),
        (rf"(?:_w(?P<channel>\d+))?(?:{_GUID})?", "a wavelength such as '_w1'"),
    ],
    # A01_s001_w1_z001_t001.tif: OpenHCS (imagexpress.py) writes planes and times into the name.
    [
        (r"(?:(?P<plate>[^/]+)_)?", "a plate"),
        _WELL,
        (r"(?:_s(?P<field>\d+))?(?:_w(?P<channel>\d+))?", "a site or wavelength"),
        (r"_z(?P<z>\d+)(?:_t(?P<t>\d+))?", "a plane such as '_z1'"),
    ],
)
"""``Plate_B03_s1_w2<GUID>.tif`` of ImageXpress (MetaXpress)."""

CELLVOYAGER: Final = Convention(
    "cellvoyager",
    # Plate_A01_T0001F001L01A01Z01C01.tif of CV7000 and CV8000: time, field, timeline, action,
    # plane, channel. A channel belongs to one action and one timeline, so they are no axes. Read
    # like this by TissueMAPS (cellvoyager.py), CellCognition and fractal-tasks-core.
    [
        (r"(?:(?P<plate>[^/]+)_)?", "a plate"),
        _WELL,
        (r"_T(?P<t>\d{4})", "a time such as '_T0001'"),
        (r"F(?P<field>\d{3,4})", "a field such as 'F001'"),
        (r"L\d{2}A\d{2}", "timeline and action such as 'L01A01'"),
        (r"Z(?P<z>\d{2,3})", "a plane such as 'Z01'"),
        (r"C(?P<channel>\d{2})", "a channel such as 'C01'"),
    ],
)
"""``Plate_B03_T0001F001L01A01Z01C01.tif`` of Yokogawa CellVoyager CV7000 and CV8000."""

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
    text=("channel",),
)
"""``B - 03(fld 1 wv DAPI - DAPI).tif`` of IN Cell Analyzer."""

MICRO_MANAGER: Final = Convention(
    "micro-manager",
    # img_channel000_position000_time000000000_z000.tif: 2.0 writes the axes in the order of the
    # alphabet, time with nine digits (StorageSinglePlaneTiffSeries.java).
    [
        (r"img_channel(?P<channel>\d{3})", "a channel such as 'img_channel000'"),
        (r"_position(?P<position>\d{3})", "a position such as '_position000'"),
        (r"_time(?P<t>\d{9})", "a time such as '_time000000000'"),
        (r"_z(?P<z>\d{3})", "a plane such as '_z000'"),
    ],
    # Pos0/img_000000000_DAPI_000.tif: 1.4 writes time, the channel's name and the plane, and has a
    # folder for each position.
    [
        (r"(?:(?P<position>[^/]+)/)?img_(?P<t>\d{9})", "a time such as 'img_000000000'"),
        (r"_(?P<channel>[^/]+)", "a channel such as '_DAPI'"),
        (r"_(?P<z>\d{3})", "a plane such as '_000'"),
    ],
)
"""``img_channel000_position000_time000000000_z000.tif``, or ``Pos0/img_000000000_DAPI_000.tif``."""

MUVI: Final = Convention(
    "muvi",
    # raw/stack_1-x00-y00_channel_0_obj_left/Cam_Left_00012.lux.h5: stack, tile, channel,
    # objective and camera of the Luxendo software; older versions write Stack_2_Channel_0 and
    # Cam_Right_00012.h5. Read by BigDataProcessor2 (NamingSchemes.java).
    [
        (
            r"(?:[Ss]tack_(?P<stack>[^/_]+)_[Cc]hannel_(?P<channel>[^/_]+)"
            r"(?:_obj_(?P<objective>[^/]+)|_[^/]+)?/)?",
            "a folder such as 'stack_0_channel_0_obj_left'",
        ),
        (r"[Cc]am_(?P<camera>[^/_]+)", "a camera such as 'Cam_Left'"),
        (r"_(?P<t>\d{5})", "a time such as '_00012'"),
    ],
    # uni_tp-0_ch-0_st-0_obj-right_cam-right_etc.lux.h5, processed: times, channels and stacks.
    [
        (r"[^/]*?tp-(?P<t>\d+)", "a time such as 'tp-0'"),
        (r"_ch-(?P<channel>[^/_]+)", "a channel such as '_ch-0'"),
        (r"_st-(?P<stack>[^/_]+)", "a stack such as '_st-0'"),
        (r"(?:_obj-(?P<objective>[^/_]+))?(?:_cam-(?P<camera>[^/_]+))?", "objective and camera"),
        (r"(?:_[^/]*)?", "anything"),
    ],
)
"""``stack_0_channel_0_obj_left/Cam_Left_00012.lux.h5`` of Luxendo MuVi-SPIM, and what it became."""

_BUILT_IN: Final = {
    convention.name: convention
    for convention in (
        OPERA_PHENIX,
        OPERETTA,
        IMAGEXPRESS,
        CELLVOYAGER,
        INCELL,
        MICRO_MANAGER,
        MUVI,
    )
}
_registered: dict[str, Matcher] = dict(_BUILT_IN)


def names() -> tuple[str, ...]:
    """Return the names of all conventions, registered ones too.

    Examples
    --------
    >>> names()[:3]
    ('opera-phenix', 'operetta', 'imagexpress')
    """
    return tuple(_registered)


def named(name: str) -> Matcher:
    """Return a convention by its name.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> named("incell").match("B - 03(fld 1 wv UV - DAPI).tif")
    {'well': 'B03', 'field': 1, 'channel': 'UV - DAPI'}
    """
    if name in _registered:
        return _registered[name]
    near = difflib.get_close_matches(name, _registered, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_registered)}"
    raise ValueError(f"no convention is called {name!r}; {hint}")


def register(name: str, matcher: str | Matcher) -> Matcher:
    """Give a name to a convention or pattern of your own, for ``at=``.

    Taps carry the convention, so workers need not know the name. ``--preload`` on a worker
    reads names there: register them in a module that is preloaded before.

    Parameters
    ----------
    name : str
        A new name, or one that was registered before.
    matcher : str, Pattern or Convention
        The pattern or convention.

    Returns
    -------
    Matcher
        The pattern or convention that the name stands for.

    Raises
    ------
    ValueError, TypeError
        If the name is that of a built-in convention, or not a plain word.

    Examples
    --------
    >>> ours = register("our-lab", "{plate}_{well}_f{field:d}")
    >>> named("our-lab").match("P1_A01_f3.tif")
    {'plate': 'P1', 'well': 'A01', 'field': 3}
    """
    if not isinstance(name, str) or not name or "{" in name:
        raise TypeError(f"{name!r} cannot name a convention; give a word such as 'our-lab'")
    if name in _BUILT_IN:
        raise ValueError(f"{name!r} is a convention already; choose another name")
    found = Pattern(matcher) if isinstance(matcher, str) else matcher
    if not isinstance(found, Matcher):
        raise TypeError(f"{matcher!r} cannot read names; give a pattern or a Convention")
    _registered[name] = found
    return found
