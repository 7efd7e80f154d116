"""Conventions of microscopes; users have them as :mod:`dask_napari.conventions`.

Not part of the room's face: most taps need none, and a worker should start fast.
"""

from __future__ import annotations

import difflib
from typing import Final

from dask_napari.placement._convention import Convention
from dask_napari.placement._matching import Matcher
from dask_napari.placement._patterns import Pattern
from dask_napari.placement._screening_microscopes import (
    CELLOMICS,
    CELLVOYAGER,
    CQ1,
    CX7,
    CYTATION,
    IMAGEXPRESS,
    INCELL,
    INCUCYTE,
    OME_ZARR,
    OPERA_PHENIX,
    OPERETTA,
    SCANR,
)

__all__ = [
    "CELLOMICS",
    "CELLVOYAGER",
    "CELL_TRACKING_CHALLENGE",
    "CQ1",
    "CX7",
    "CYTATION",
    "IMAGEXPRESS",
    "INCELL",
    "INCUCYTE",
    "MICRO_MANAGER",
    "MUVI",
    "OME_ZARR",
    "OPERA_PHENIX",
    "OPERETTA",
    "SCANR",
    "named",
    "names",
    "register",
]

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

CELL_TRACKING_CHALLENGE: Final = Convention(
    "cell-tracking-challenge",
    # 01/t000.tif, 01_GT/TRA/man_track000.tif, 01_GT/SEG/man_seg000.tif or man_seg_000_005.tif for
    # a plane, 01_RES/mask000.tif: "Naming and file content conventions" of the challenge.
    [
        (r"(?:(?P<sequence>\d{2})/)?", "a sequence such as '01'"),
        (r"t(?P<t>\d{3,4})", "a time such as 't000'"),
    ],
    [
        (
            r"(?:(?P<sequence>\d{2})_[A-Za-z_]+/(?:(?:SEG|TRA)/)?)?",
            "a sequence such as '01_GT/SEG' or '01_RES'",
        ),
        (r"(?:man_seg_?|man_track|mask)", "'man_seg', 'man_track' or 'mask'"),
        (r"(?P<t>\d{3,4})(?:_(?P<z>\d{3,4}))?", "a time such as '000'"),
    ],
)
"""``01/t000.tif`` and ``01_GT/TRA/man_track000.tif`` of the Cell Tracking Challenge."""

_BUILT_IN: Final = {
    convention.name: convention
    for convention in (
        OPERA_PHENIX,
        OPERETTA,
        IMAGEXPRESS,
        CELLVOYAGER,
        CQ1,
        INCELL,
        SCANR,
        CELLOMICS,
        CX7,
        CYTATION,
        INCUCYTE,
        OME_ZARR,
        MICRO_MANAGER,
        MUVI,
        CELL_TRACKING_CHALLENGE,
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
