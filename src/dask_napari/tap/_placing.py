"""Where a tap places outputs: by patterns, conventions, functions, and the chunks of arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dask_napari.model import Position, Refusal
from dask_napari.placement import (
    Chunks,
    Matcher,
    Placement,
    compiled,
    names_in,
    names_of_key,
    placement_of_slices,
    references_in,
)

Function = Callable[[Any, Any, tuple[Any, ...]], Mapping[str, Any]]
"""Returns the position of an output, from key, value and arguments."""

At = str | Matcher | Mapping[str, Any] | Function
"""A pattern, a convention or its name, the position itself, or a function."""


def checked(at: object) -> At | None:
    """Return what was given as ``at``, with a convention in the place of its name.

    Parameters
    ----------
    at : object
        What was given; see :class:`Tap`.
    """
    if isinstance(at, str):
        if "{" not in at and "}" not in at:
            return _convention(at)
        compiled(at)  # refuses what is no pattern
        return at
    if isinstance(at, Mapping):
        placement_of_slices(at)
        return dict(at)
    if at is None or isinstance(at, Matcher) or callable(at):
        return at
    raise TypeError(
        f"at={at!r} is neither a pattern such as '{{well}}_s{{field:d}}.tif', a"
        " convention, nor a function (key, value, args) -> position"
    )


def _convention(name: str) -> Matcher:
    # Only here: most taps need no convention, and a worker should start fast.
    from dask_napari import conventions

    try:
        return conventions.named(name)
    except ValueError as error:
        raise ValueError(
            f"at={name!r} names no axis in braces, as '{{well}}_s{{field:d}}.tif' does, and {error}"
        ) from None


@dataclass(frozen=True, slots=True)
class Placing:
    """How a tap finds where outputs belong.

    Attributes
    ----------
    at : At, optional
        As :func:`checked` returns it.
    chunks : Chunks, optional
        Of the array that is tapped.
    """

    at: At | None
    chunks: Chunks | None

    @property
    def pattern(self) -> Matcher | None:
        """What reads names, None if ``at`` is something else."""
        if isinstance(self.at, str):
            return compiled(self.at)
        return self.at if isinstance(self.at, Matcher) else None

    @property
    def by_value(self) -> bool:
        """Whether an output must be looked at to know its place."""
        return callable(self.at) or (self.at is None and self.chunks is None)

    def placement(
        self, key: Any, value: object, args: tuple[Any, ...], kwargs: Mapping[str, Any], prefix: str
    ) -> Placement:
        """Return the place of an output.

        Parameters
        ----------
        key, value, args, kwargs, prefix
            See :meth:`Tap.placement`.
        """
        said = self._said(key, value, args, kwargs, prefix)
        if self.chunks is None:
            return said
        where = self.chunks.placement(key)
        return replace(where, position={**where.position, **said.position})

    def _said(
        self, key: Any, value: object, args: tuple[Any, ...], kwargs: Mapping[str, Any], prefix: str
    ) -> Placement:
        """Return what ``at`` says."""
        if self.at is None:
            return Placement()
        if isinstance(self.at, Mapping):
            return placement_of_slices(self.at)
        if self.pattern is not None:
            return Placement(_read(self.pattern, key, (args, kwargs), prefix))
        assert callable(self.at)
        return _call(self.at, key, value, args)


def _read(pattern: Matcher, key: Any, given: Any, prefix: str) -> Position:
    # Lazily, in this order: most tasks are placed by their first argument.
    found = pattern.first(
        itertools.chain(names_in(given), names_of_key(key, prefix), references_in(given))
    )
    if found is None:
        named = itertools.chain(names_in(given), names_of_key(key, prefix), references_in(given))
        names = list(itertools.islice(named, 4))
        raise Refusal(
            "no position",
            f"{pattern.title} matches no name of task {key!r}, which goes by"
            f" {', '.join(map(repr, names))}; {pattern.explain(names)}",
        )
    return found


def _call(function: Function, key: Any, value: object, args: tuple[Any, ...]) -> Placement:
    try:
        answer = function(key, value, args)
    except BaseException as error:  # SystemExit, too: it would end the publisher's thread
        raise Refusal("no position", f"at= failed for task {key!r}: {error!r}") from error
    try:
        return placement_of_slices(answer)
    except (TypeError, ValueError) as error:
        raise Refusal("no position", f"at= for task {key!r}: {error}") from error
