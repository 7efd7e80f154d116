"""Conventions for file names: regular expressions in parts, each with a description."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, Final

from dask_napari.model import Coordinate, one_well
from dask_napari.placement._matching import Matcher, Mismatch, stem, tail

NamePart = str | tuple[str, str]
"""A regular expression, perhaps with a description."""

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Text even if all digits: "20220209" is a plate, and so is "P1".
_TEXT: Final = frozenset({"plate"})


class Convention(Matcher):
    r"""Way to name files, in parts, so that a mismatch can be explained.

    Groups of the regular expressions are axes. ``row`` and ``column`` become a ``well`` such as
    ``"B03"``; a ``well`` in another spelling becomes one like it; text that is a whole number
    becomes one. Suffixes such as ``.tif`` do not matter.

    Parameters
    ----------
    name : str
        Name of the convention.
    *forms : str or sequence of parts
        Ways to write such a name, tried in turn. A part is a regular expression, or one
        with a description. A slash in a form reaches into folders.
    text : sequence of str
        Axes whose values stay text even where they are digits; those of ``plate`` do always.

    Raises
    ------
    ValueError, TypeError
        If a part cannot be used as a regular expression, or no group has a name.

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
        self.title: str = f"convention {name!r}"
        self._text = frozenset(text)
        self._forms = tuple(_Form(_parts(name, form)) for form in forms)
        groups: list[str] = []
        for form in self._forms:
            try:
                groups += form.expression.groupindex
            except re.error as error:
                raise ValueError(f"{self.title}: {form.text!r} cannot be read: {error}") from error
        if not groups:
            raise ValueError(
                f"{self.title} has no axes; name groups, as in '(?P<well>[A-P][0-9]+)'"
            )
        self.fields: tuple[str, ...] = tuple(dict.fromkeys(map(_axis, groups)))

    def __repr__(self) -> str:
        return f"<Convention {self.name!r}: {', '.join(self.fields)}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Convention):
            return NotImplemented
        return self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        # With its forms: a worker does not know names that were registered elsewhere.
        return _restored, (self.name, self.forms, tuple(sorted(self._text)))

    @property
    def forms(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The forms, with a description of each part."""
        return tuple(form.parts for form in self._forms)

    def match(self, name: str) -> dict[str, Coordinate] | None:
        """Return the position in a file name, path, URL or key, None if it does not match."""
        for form in self._forms:
            for last in form.tails(name):
                found = form.expression.fullmatch(stem(last)) or form.expression.fullmatch(last)
                if found is not None:
                    return self._position(found)
        return None

    def mismatch(self, name: str) -> Mismatch:
        """Return how far a name fits, to explain why it does not match."""
        found = (form.mismatch(last) for form in self._forms for last in form.tails(name))
        return max(found, key=lambda mismatch: (mismatch.parts, len(mismatch.matched)))

    def _position(self, found: re.Match[str]) -> dict[str, Coordinate]:
        groups = {axis: value for axis, value in found.groupdict().items() if value is not None}
        position: dict[str, Coordinate] = {}
        for group, value in groups.items():
            if group == "row":
                position["well"] = _letters(value) + f"{int(groups['column']):02d}"
            elif group != "column":
                number = value.removeprefix("-").isdecimal() and group not in self._text | _TEXT
                text = one_well(value) if group == "well" else value
                position[group] = int(value) if number else text
        return position


class _Form:
    """One way to write a name, as a regular expression in parts."""

    def __init__(self, parts: tuple[tuple[str, str], ...]) -> None:
        self.parts = parts
        self.text = "".join(expression for expression, _ in parts)
        # A class such as "[^/]+" stays within a folder.
        self._deepest = self.text.replace("[^/", "").count("/") + 1

    @functools.cached_property
    def expression(self) -> re.Pattern[str]:
        return re.compile(self.text, re.ASCII)

    @functools.cached_property
    def _beginnings(self) -> list[re.Pattern[str]]:
        expressions = [expression for expression, _ in self.parts]
        ends = range(1, len(expressions) + 1)
        return [re.compile("".join(expressions[:end]), re.ASCII) for end in ends]

    def tails(self, name: str) -> list[str]:
        """Return the ends of a name to compare: with the folders of the form, and without."""
        return list(dict.fromkeys(tail(name, parts) for parts in range(self._deepest, 0, -1)))

    def mismatch(self, name: str) -> Mismatch:
        """Return how far a name fits."""
        matched = ""
        for number, beginning in enumerate(self._beginnings):
            found = beginning.match(name)
            if found is None:
                return Mismatch(name, number, matched, self.parts[number][1])
            matched = found.group()
        return Mismatch(name, len(self.parts), matched, "the end of the name")


def _restored(name: str, forms: Sequence[Sequence[NamePart]], text: Sequence[str]) -> Convention:
    return Convention(name, *forms, text=text)


def _parts(name: str, form: str | Sequence[NamePart]) -> tuple[tuple[str, str], ...]:
    """Return the parts of a form, each with a description."""
    parts = [form] if isinstance(form, str) else list(form)
    found = []
    for part in parts:
        pair = (part, f"'{part}'") if isinstance(part, str) else part
        if not isinstance(pair, tuple) or [type(text) for text in pair] != [str, str]:
            raise TypeError(
                f"convention {name!r}: part {part!r} cannot be used; give a regular expression, or"
                " one with a description"
            )
        found.append(pair)
    return tuple(found)


def _axis(group: str) -> str:
    return "well" if group in ("row", "column") else group


def _letters(row: str) -> str:
    """Return the letters of a row; a plate of 1536 wells has rows after ``Z``.

    >>> _letters("2"), _letters("032"), _letters("C")
    ('B', 'AF', 'C')
    """
    if not row.isdecimal():
        return row.upper()
    number = int(row) - 1
    return (_LETTERS[number // 26 - 1] if number >= 26 else "") + _LETTERS[number % 26]
