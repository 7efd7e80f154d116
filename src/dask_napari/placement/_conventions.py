"""Conventions of microscopes for file names; users have them as :mod:`dask_napari.conventions`."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Sequence
from typing import Any, Final

from dask_napari.model import Coordinate
from dask_napari.placement._matching import Matcher, Mismatch, stem, tail
from dask_napari.placement._patterns import Pattern

NamePart = str | tuple[str, str]
"""A regular expression, perhaps with what it stands for in words."""

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Never numbers, though they may have digits only: "20220209" is a plate, and so is "P1".
_TEXT: Final = frozenset({"plate", "well"})


class Convention(Matcher):
    r"""A way to name files, in parts, so that what does not match can be told.

    Groups of the regular expressions are axes. ``row`` and ``column`` become a ``well`` such as
    ``"B03"``; text that is a whole number becomes one. Suffixes such as ``.tif`` may be there or
    not.

    Parameters
    ----------
    name : str
        What it is called.
    *forms : str or sequence of parts
        Ways to write such a name, tried in turn. A part is a regular expression, or one and what
        it stands for in words. A slash in a form reaches into folders.
    text : sequence of str
        Axes whose values stay text even where they are digits; ``plate`` and ``well`` do always.

    Raises
    ------
    ValueError, TypeError
        If a part is no regular expression, or there are no named groups.

    Examples
    --------
    >>> mine = Convention("mine", [r"W(?P<row>\d)(?P<column>\d\d)", r"--P(?P<field>\d+)"])
    >>> mine.match("/data/W203--P7.tif")
    {'well': 'B03', 'field': 7}
    >>> print(mine.mismatch("/data/W203-7.tif"))
    'W203-7.tif' matches up to 'W203', then expects '--P(?P<field>\d+)', found '-7.tif'
    """

    def __init__(
        self, name: str, *forms: str | Sequence[NamePart], text: Sequence[str] = ()
    ) -> None:
        if not isinstance(name, str) or not name or "{" in name:
            raise TypeError(f"convention {name!r}: a name is a plain word such as 'my-microscope'")
        self.name = name
        self.title = f"convention {name!r}"
        self._text = frozenset(text)
        self._forms = tuple(_Form(_parts(name, form)) for form in forms)
        groups: list[str] = []
        for form in self._forms:
            try:
                groups += form.whole.groupindex
            except re.error as error:
                raise ValueError(f"{self.title}: {form.text!r} cannot be read: {error}") from error
        if not groups:
            raise ValueError(
                f"{self.title} names no axis; name groups, as in '(?P<well>[A-P][0-9]+)'"
            )
        self.fields = tuple(dict.fromkeys(map(_axis, groups)))

    def __repr__(self) -> str:
        return f"<Convention {self.name!r}: {', '.join(self.fields)}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Convention):
            return NotImplemented
        return self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        # Whole: a worker does not know what was registered elsewhere.
        return _made, (self.name, self.forms, tuple(sorted(self._text)))

    @property
    def forms(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The forms, with words for each part."""
        return tuple(form.parts for form in self._forms)

    def match(self, name: str) -> dict[str, Coordinate] | None:
        """Read a position from one name, or return None."""
        for form in self._forms:
            for last in form.tails(name):
                found = form.whole.fullmatch(stem(last)) or form.whole.fullmatch(last)
                if found is not None:
                    return self._position(found)
        return None

    def mismatch(self, name: str) -> Mismatch:
        """Return how far a name that does not match fits."""
        found = (form.fits(last) for form in self._forms for last in form.tails(name))
        return max(found, key=lambda mismatch: (mismatch.parts, len(mismatch.matched)))

    def _position(self, found: re.Match[str]) -> dict[str, Coordinate]:
        groups = {axis: value for axis, value in found.groupdict().items() if value is not None}
        position: dict[str, Coordinate] = {}
        for group, value in groups.items():
            if group == "row":
                position["well"] = _letters(value) + f"{int(groups['column']):02d}"
            elif group != "column":
                number = value.isdecimal() and group not in self._text | _TEXT
                position[group] = int(value) if number else value
        return position


class _Form:
    """One way to write a name."""

    def __init__(self, parts: tuple[tuple[str, str], ...]) -> None:
        self.parts = parts
        self.text = "".join(expression for expression, _ in parts)
        # A class such as "[^/]+" stays within a folder.
        self._deepest = self.text.replace("[^/", "").count("/") + 1

    @functools.cached_property
    def whole(self) -> re.Pattern[str]:
        return re.compile(self.text, re.ASCII)

    @functools.cached_property
    def _beginnings(self) -> list[re.Pattern[str]]:
        expressions = [expression for expression, _ in self.parts]
        ends = range(1, len(expressions) + 1)
        return [re.compile("".join(expressions[:end]), re.ASCII) for end in ends]

    def tails(self, name: str) -> list[str]:
        """Return what of a name is compared: with the folders that the form has, and without."""
        return list(dict.fromkeys(tail(name, parts) for parts in range(self._deepest, 0, -1)))

    def fits(self, name: str) -> Mismatch:
        """Return how far a name fits, from its start."""
        matched = ""
        for number, beginning in enumerate(self._beginnings):
            found = beginning.match(name)
            if found is None:
                return Mismatch(name, number, matched, self.parts[number][1])
            matched = found.group()
        return Mismatch(name, len(self.parts), matched, "the end of the name")


def _made(name: str, forms: Sequence[Sequence[NamePart]], text: Sequence[str]) -> Convention:
    return Convention(name, *forms, text=text)


def _parts(name: str, form: str | Sequence[NamePart]) -> tuple[tuple[str, str], ...]:
    """Return the parts of a form, each with words for it."""
    parts = [form] if isinstance(form, str) else list(form)
    found = []
    for part in parts:
        pair = (part, f"'{part}'") if isinstance(part, str) else part
        if not isinstance(pair, tuple) or [type(text) for text in pair] != [str, str]:
            raise TypeError(
                f"convention {name!r}: part {part!r} is no regular expression, nor one and words"
            )
        found.append(pair)
    return tuple(found)


def _axis(group: str) -> str:
    return "well" if group in ("row", "column") else group


def _letters(row: str) -> str:
    """Return the letters of a row; a plate of 1536 wells has rows after ``Z``.

    Examples
    --------
    >>> _letters("2"), _letters("032"), _letters("C")
    ('B', 'AF', 'C')
    """
    if not row.isdecimal():
        return row
    number = int(row) - 1
    return (_LETTERS[number // 26 - 1] if number >= 26 else "") + _LETTERS[number % 26]


# -- the microscopes ------------------------------------------------------------------------

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
"""The same: Operetta and Opera Phenix share Harmony."""

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

_OURS: Final = {
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
_known: dict[str, Matcher] = dict(_OURS)


def names() -> tuple[str, ...]:
    """Return the names of the conventions that are known.

    Examples
    --------
    >>> names()[:3]
    ('opera-phenix', 'operetta', 'imagexpress')
    """
    return tuple(_known)


def named(name: str) -> Matcher:
    """Return a convention by its name.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> named("incell").match("B - 03(fld 1 wv UV - DAPI).tif")
    {'well': 'B03', 'field': 1, 'channel': 'UV - DAPI'}
    """
    if name in _known:
        return _known[name]
    near = difflib.get_close_matches(name, _known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_known)}"
    raise ValueError(f"no convention is called {name!r}; {hint}")


def register(name: str, matcher: str | Matcher) -> Matcher:
    """Give a name to a convention or pattern of one's own, for ``at=``.

    Taps carry what they were told, so workers need not know of it. ``--preload`` on a worker
    reads names there: register them in a module that is preloaded before.

    Parameters
    ----------
    name : str
        What it will be called; one of the conventions here keeps its name.
    matcher : str, Pattern or Convention
        A pattern, or a convention.

    Returns
    -------
    Matcher
        What was registered.

    Raises
    ------
    ValueError, TypeError
        If the name is taken, or no name.

    Examples
    --------
    >>> ours = register("our-lab", "{plate}_{well}_f{field:d}")
    >>> named("our-lab").match("P1_A01_f3.tif")
    {'plate': 'P1', 'well': 'A01', 'field': 3}
    """
    if not isinstance(name, str) or not name or "{" in name:
        raise TypeError(f"{name!r} is no name for a convention; give a word such as 'our-lab'")
    if name in _OURS:
        raise ValueError(f"{name!r} is a convention already; choose another name")
    found = Pattern(matcher) if isinstance(matcher, str) else matcher
    if not isinstance(found, Matcher):
        raise TypeError(f"{matcher!r} is neither a pattern nor a Convention")
    _known[name] = found
    return found
