"""Matchers: read positions from names, and explain why a name does not match."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from dask_napari.model import Coordinate

# A suffix starts with a letter, so that the ".5" of "t1.5" is kept as part of a number.
_SUFFIX = re.compile(r"(\.(ome|nii|tar|lux))?\.[A-Za-z]\w*$")
# The nearest of the first names is near enough, and a million may be given.
_MOST_EXPLAINED = 256


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Mismatch of a name: how far it fits, and what is expected then.

    ``name`` is the part of the name that was compared; ``parts`` counts the parts of the pattern
    that fit.
    """

    name: str
    parts: int
    matched: str
    expected: str

    def __str__(self) -> str:
        rest = self.name[len(self.matched) :]
        found = repr(rest) if rest else "the end of the name"
        start = f"matches up to {self.matched!r}, then" if self.matched else "does not match:"
        return f"{self.name!r} {start} expects {self.expected}, found {found}"


class Matcher(ABC):
    """Reader of positions from names.

    ``title`` is its name in messages; ``fields`` are the axes that it may find, in order.
    """

    title: str
    fields: tuple[str, ...]

    @abstractmethod
    def match(self, name: str) -> dict[str, Coordinate] | None:
        """Return the position in a file name, path, URL or key, None if it does not match."""

    @abstractmethod
    def mismatch(self, name: str) -> Mismatch:
        """Return how far a name fits, to explain why it does not match."""

    def first(self, names: Iterable[str]) -> dict[str, Coordinate] | None:
        """Return the position in the first name that matches, None if none does."""
        for name in names:
            found = self.match(name)
            if found is not None:
                return found
        return None

    def explain(self, names: Iterable[str]) -> str:
        """Return why the name that comes nearest does not match; empty without names."""
        found = (self.mismatch(name) for name in itertools.islice(names, _MOST_EXPLAINED))
        nearest = max(found, key=lambda m: (m.parts, len(m.matched)), default=None)
        return "" if nearest is None else str(nearest)

    def check(self, names: Iterable[str]) -> None:
        """Check that at least one name, if any, matches, or raise ValueError on the nearest."""
        names = list(names)
        if names and self.first(names) is None:
            raise ValueError(
                f"{self.title} matches none of {len(names)} names; {self.explain(names)}"
            )


def tail(name: str, parts: int) -> str:
    r"""Return the last components of a path, of Windows too, or URL.

    >>> tail("D:\\plates\\P1\\A01.tif", 2)
    'P1/A01.tif'
    """
    return "/".join(name.replace("\\", "/").split("/")[-parts:])


def stem(name: str) -> str:
    """Return a name without the suffix of its format."""
    return _SUFFIX.sub("", name)
