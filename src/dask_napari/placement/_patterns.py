"""Patterns: positions read from names, as ``str.format`` would have written them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple

import parse  # type: ignore[import-untyped]

from dask_napari.model import WELL, Coordinate, one_well
from dask_napari.placement._matching import Matcher, Mismatch, stem, tail

# Arguments of tasks may hold any number of names: the first ones are read.
_MOST_NAMES = 64
_MOST_LEAVES = 1024
_DEEPEST = 4
_END = "the end of the name"


@parse.with_pattern(WELL)  # type: ignore[untyped-decorator]
def _read_well(text: str) -> str:
    return text


class Pattern(Matcher):
    """Format pattern such as ``"{plate}_{well}_s{field:d}_w{channel:d}.tif"``.

    Each named field becomes an axis; ``{}`` stands for text that does not matter. Types are those
    of ``str.format``: ``:d`` makes an integer, ``:f`` and ``:g`` a number, no type text. Case
    counts. A field ``well`` is a well such as ``"B02"``, in any case and padding, and other text
    only where no part of the name is one. Raises ValueError if the pattern is malformed or has no
    named field.

    Examples
    --------
    >>> pattern = Pattern("{plate}/{well}_s{field:d}")
    >>> pattern.match("/screens/P1/A01_s3.tif")
    {'plate': 'P1', 'well': 'A01', 'field': 3}
    >>> Pattern("{plate}_{well}_s{field:d}").match("week_1_b2_s3.tif")
    {'plate': 'week_1', 'well': 'B02', 'field': 3}
    >>> pattern.match("notes.txt") is None
    True
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.title = f"pattern {text!r}"
        self.fields = _fields(text)
        text = text.replace("\\", "/")
        try:
            self._parsers = [
                parse.compile(form, {"well": _read_well}, case_sensitive=True)
                for form in dict.fromkeys((text.replace("{well}", "{well:well}"), text))
            ]
        except (ValueError, re.error) as error:
            raise ValueError(f"pattern {self.text!r} cannot be read: {error}") from error
        self._path = text
        self._slashes = text.count("/")
        self._names_suffix = any(
            "." in literal for literal, *_ in string.Formatter().parse(text.rpartition("/")[2])
        )

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Pattern) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[Any, ...]:
        return Pattern, (self.text,)

    def match(self, name: str) -> dict[str, Coordinate] | None:
        """Return the position in a file name, path, URL or key, None if it does not match.

        As many of its last ``/`` components are compared as the pattern has, with and without a
        suffix such as ``.tif`` or ``.ome.tif``.
        """
        for parser, candidate in itertools.product(self._parsers, self._candidates(name)):
            found = parser.parse(candidate)
            if found is not None:
                return {field: _coordinate(field, value) for field, value in found.named.items()}
        return None

    def mismatch(self, name: str) -> Mismatch:
        """Return how far a name fits, to explain why it does not match."""
        nearest = max(
            map(self._mismatch, self._candidates(name)), key=lambda mismatch: mismatch.parts
        )
        return dataclasses.replace(nearest, name=tail(name, self._slashes + 1))

    def _candidates(self, name: str) -> tuple[str, str]:
        last = tail(name, self._slashes + 1)
        bare = stem(last)
        # A pattern without a dot was written for the stem: the suffix must not end up in its
        # last field. One with a dot was written for the whole name.
        return (last, bare) if self._names_suffix else (bare, last)

    def _mismatch(self, name: str) -> Mismatch:
        steps, matched = self._steps, ""
        for number, step in enumerate(steps):
            # Text may be of any length: the next step tells how much of the name it takes.
            if not step.open and step.exact.parse(name) is not None:
                after = steps[number + 1].description if number + 1 < len(steps) else _END
                return Mismatch(name, number + 1, name, after)
            found = step.begin.parse(name)
            if found is None:
                return Mismatch(name, number, matched, step.description)
            if not step.open:
                matched = name[: found.spans[len(found.fixed) - 1][0]]
        return Mismatch(name, len(steps), matched, _END)

    @functools.cached_property
    def _steps(self) -> list[_Step]:
        steps, text, before = [], "", ""
        for literal, field, spec, _ in string.Formatter().parse(self._path):
            if literal:
                text += literal.replace("{", "{{").replace("}", "}}")
                steps.append(_step(text, f"{before}{literal!r}"))
                before = ""
            if field is not None:
                text += f"{{{field}:{spec}}}" if spec else f"{{{field}}}"
                name = f" for {field!r}" if field else ""
                steps.append(_step(text, f"{before}{_described(spec or '')}{name}", open=not spec))
                # "P1A01" lacks the underscore after the plate, and not the plate.
                before = "" if spec else f"text{name} and then "
        return steps


class _Step(NamedTuple):
    """Beginning of a pattern, alone and with any text behind it, and a description of its end."""

    exact: Any
    begin: Any
    description: str
    open: bool


def _step(text: str, description: str, *, open: bool = False) -> _Step:
    exact, begin = (parse.compile(text + rest, case_sensitive=True) for rest in ("", "{}"))
    return _Step(exact, begin, description, open)


def _described(spec: str) -> str:
    """Return a description of a format specification."""
    if not spec:
        return "text"
    kind = re.search(r"(t?[A-Za-z%])?$", spec)
    letter = kind.group() if kind else ""
    if letter in ("d", "n", "b", "o", "x"):
        return "a whole number"
    if letter in ("e", "f", "g", "%"):
        return "a number"
    return "a date or time" if letter.startswith("t") else f"text that {{:{spec}}} would write"


@functools.lru_cache(maxsize=256)
def compiled(text: str) -> Pattern:
    """Return the pattern of a text; compiled once a process."""
    return Pattern(text)


def names_in(value: object) -> Iterator[str]:
    """Yield the names in task arguments: text and paths, in containers and dataclasses too.

    A partition of a bag is data in the graph; it has a name if it has one element.
    """
    for leaf in itertools.islice(_leaves(value), _MOST_LEAVES):
        if getattr(leaf, "data_producer", False) is True:
            leaf = getattr(leaf, "value", None)
            leaf = leaf[0] if isinstance(leaf, list | tuple) and len(leaf) == 1 else leaf
        if isinstance(leaf, str):
            yield leaf
        elif isinstance(leaf, os.PathLike):
            path = os.fspath(leaf)
            yield path if isinstance(path, str) else os.fsdecode(path)


def references_in(value: object) -> Iterator[str]:
    """Yield the names of the keys that task arguments refer to."""
    for leaf in itertools.islice(_leaves(value), _MOST_LEAVES):
        # An argument that is another task's output is a reference to its key, of a class
        # that this module must not import.
        key = None if isinstance(leaf, str | os.PathLike) else getattr(leaf, "key", None)
        if isinstance(key, str | tuple):
            yield from names_of_key(key)


def names_of_key(key: object, prefix: str = "") -> Iterator[str]:
    """Yield the names of a Dask key, without the task's name (the prefix) too.

    A tuple is read as a path of its elements, then element by element.
    """
    if isinstance(key, tuple):
        yield "/".join(map(str, key))
        for part in key:
            if isinstance(part, str):
                yield from names_of_key(part, prefix)
        return
    name = str(key)
    # The shorter name first: a leading "{plate}" would swallow the prefix.
    if prefix and name.startswith(f"{prefix}-"):
        yield name[len(prefix) + 1 :]
    elif not prefix:
        # Dask names tasks by functions: "2024-05-01_A01" has no such prefix.
        head, _, rest = name.partition("-")
        if rest and head.isidentifier():
            yield rest
    yield name


def _leaves(value: object, depth: int = 0) -> Iterator[object]:
    """Yield the elements of containers, the first of many and not too deep."""
    # Graph nodes for nested arguments ("List", "Dict") are containers of a kind of their own;
    # their arguments are in ``args``.
    if isinstance(value, Mapping):
        inner: Iterable[object] = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        inner = value
    elif isinstance(args := getattr(value, "args", None), tuple):
        inner = args
    elif fields := _fields_of(type(value)):
        inner = (getattr(value, name, None) for name in fields)
    else:
        yield value
        return
    if depth < _DEEPEST:
        for leaf in itertools.islice(inner, _MOST_NAMES):
            yield from _leaves(leaf, depth + 1)


def _fields_of(kind: type) -> tuple[str, ...]:
    """Return the fields of a dataclass, or of a class of attrs, msgspec or pydantic."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    for attribute in ("__attrs_attrs__", "__struct_fields__", "__pydantic_fields__"):
        found = getattr(kind, attribute, None)
        if isinstance(found, tuple | dict):
            return tuple(str(getattr(field, "name", field)) for field in found)
    return ()


def _fields(text: str) -> tuple[str, ...]:
    """Return the named fields of a pattern in order; refuse a pattern without any."""
    try:
        named = [field for _, field, _, _ in string.Formatter().parse(text) if field]
    except ValueError as error:
        raise ValueError(f"pattern {text!r} cannot be read: {error}") from error
    for field in named:
        if not field.isidentifier():
            raise ValueError(
                f"pattern {text!r}: field {field!r} is not a plain name; an axis is named by"
                " letters, digits and underscores, and {} stands for text that does not matter"
            )
    if not named:
        raise ValueError(
            f"pattern {text!r} has no axes; write each in braces, as in '{{well}}_s{{field:d}}.tif'"
        )
    return tuple(dict.fromkeys(named))


def _coordinate(field: str, value: object) -> Coordinate:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, int | float):
        return value
    return one_well(str(value)) if field == "well" else str(value)
