"""Placement rules: patterns, conventions, functions and chunk grids that place a tap's outputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dask_napari.model import Position, Refusal, contain, foreign_code
from dask_napari.placement import (
    ChunkGrid,
    Matcher,
    Placement,
    name_reader,
    names_in,
    names_of_key,
    placement_of_slices,
    references_in,
)

Function = Callable[[Any, Any, tuple[Any, ...]], Mapping[str, Any]]
"""Returns the position of an output, from key, value and arguments."""

At = str | Matcher | Mapping[str, Any] | Function
"""A pattern, a convention or its name, the position itself, or a function."""


@dataclass(frozen=True, slots=True)
class PlacementRule:
    """Rule by which a tap places outputs.

    ``at`` reads names, places all outputs alike, or is called for each; ``grid`` has the chunks of
    a tapped array.
    """

    at: Matcher | Placement | Function | None
    grid: ChunkGrid | None

    @classmethod
    def of(cls, at: object, grid: ChunkGrid | None) -> PlacementRule:
        """Return the rule that ``at`` of a tap describes; refuse what cannot place outputs."""
        if isinstance(at, str):
            return cls(name_reader(at), grid)
        if isinstance(at, Mapping):
            return cls(placement_of_slices(at), grid)
        if at is None or isinstance(at, Matcher) or callable(at):
            return cls(at, grid)
        raise TypeError(
            f"at={at!r} cannot place outputs; give a pattern such as '{{well}}_s{{field:d}}.tif', a"
            " convention, a position, or a function (key, value, args) -> position"
        )

    @property
    def pattern(self) -> Matcher | None:
        """The pattern or convention, None if positions come from elsewhere."""
        return self.at if isinstance(self.at, Matcher) else None

    @property
    def calls(self) -> bool:
        """True if a function of the user's places outputs."""
        return self.at is not None and not isinstance(self.at, Matcher | Placement)

    @property
    def by_value(self) -> bool:
        """True if the place of an output depends on its value."""
        return self.grid is None if self.at is None else self.calls

    def placement(
        self,
        key: Any,
        value: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        prefix: str = "",
    ) -> Placement:
        """Return the place of an output: its position, and that of a chunk in its array."""
        if isinstance(self.at, Matcher):
            found = Placement(_read(self.at, key, (args, kwargs or {}), prefix))
        elif self.at is None or isinstance(self.at, Placement):
            found = self.at or Placement()
        else:
            found = _call(self.at, key, value, args)
        if self.grid is None:
            return found
        chunk = self.grid.placement(key)
        return replace(chunk, position={**chunk.position, **found.position})


def _read(pattern: Matcher, key: Any, arguments: Any, prefix: str) -> Position:
    def names() -> itertools.chain[str]:
        # Lazily, in this order: most tasks are placed by their first argument.
        return itertools.chain(
            names_in(arguments), names_of_key(key, prefix), references_in(arguments)
        )

    with foreign_code():  # of paths among the arguments
        found = pattern.first(names())
        tried = [] if found is not None else list(itertools.islice(names(), 4))
    if found is None:
        raise Refusal(
            "no position",
            f"{pattern.title} matches no name of task {key!r}, which goes by"
            f" {', '.join(map(repr, tried))}; {pattern.explain(tried)}; where no name tells the"
            " place, say at=lambda key, value, args: {...}",
        )
    return found


def _call(function: Function, key: Any, value: object, args: tuple[Any, ...]) -> Placement:
    try:
        answer = function(key, value, args)
    except Refusal:
        raise
    except BaseException as error:  # SystemExit, too: it would end the publisher's thread
        contain(error, foreign=True)
        raise Refusal("no position", f"at= failed for task {key!r}: {error!r}") from error
    try:
        return placement_of_slices(answer)
    except (TypeError, ValueError) as error:
        raise Refusal("no position", f"at= for task {key!r}: {error}") from error
