"""A pattern for the places of a new tap, guessed from tasks whose places are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice, pairwise
from typing import Final

from dask_napari.catalog import Catalogue
from dask_napari.model import Coordinate

LOOKED_AT: Final = 20
"""Entries of each stream that are looked at."""


def guessed_pattern(catalogue: Catalogue) -> str:
    """Return a pattern of keys that finds the positions of tasks so far, empty if there is none.

    Tasks downstream have keys of the same form, or depend on such that have.
    """
    for stream in catalogue.streams:
        entries = list(islice(catalogue.entries(stream), LOOKED_AT))
        tasks = [(entry.meta.provenance.key, entry.meta.at) for entry in entries]
        if pattern := pattern_of(tasks):
            return pattern
    return ""


def pattern_of(tasks: Iterable[tuple[str, Mapping[str, Coordinate]]]) -> str:
    """Return the pattern that all keys have around their coordinates; empty if they differ.

    >>> pattern_of([("segment-P1_A01_s2", {"plate": "P1", "well": "A01", "field": 2}),
    ...             ("segment-P1_B12_s3", {"plate": "P1", "well": "B12", "field": 3})])
    '{plate}_{well}_s{field:d}'
    >>> pattern_of([("segment-1f3a", {"well": "A01"})])
    ''
    """
    found = {_pattern(key, position) for key, position in tasks}
    return found.pop() if len(found) == 1 else ""


def _pattern(key: str, position: Mapping[str, Coordinate]) -> str:
    """Return the pattern of one key, from its first coordinate to its last."""
    spans: list[tuple[int, int, str]] = []
    # Texts before numbers, which may be parts of them: 12 of B12.
    for axis, coordinate in sorted(position.items(), key=lambda item: isinstance(item[1], int)):
        is_number = isinstance(coordinate, int)
        inside, zeros = ("[0-9]", "0*") if is_number else ("[0-9A-Za-z]", "")
        text = re.escape(str(coordinate))
        matches = [
            match.span()
            for match in re.finditer(rf"(?<!{inside}){zeros}{text}(?!{inside})", key)
            if all(match.end() <= start or match.start() >= end for start, end, _ in spans)
        ]
        if len(matches) != 1:
            return ""
        spans.append((*matches[0], f"{{{axis}:d}}" if is_number else f"{{{axis}}}"))
    spans.sort()
    if any(end >= start for (_, end, _), (start, _, _) in pairwise(spans)):
        return ""  # nothing between them would tell them apart
    pattern, at = "", None
    for start, end, name in spans:
        between = "" if at is None else key[at:start]
        pattern += between.replace("{", "{{").replace("}", "}}") + name
        at = end
    return pattern
