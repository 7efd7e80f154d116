"""Active taps of one handle, and how many items they announce."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import uuid4

import cloudpickle

from dask_napari.placement import ChunkGrid
from dask_napari.tap import Tap, TapSet


@dataclass(frozen=True, slots=True)
class ActiveTaps:
    """The active taps, each under a name of its own by which sinks tell new ones from old.

    A value: methods return another one.
    """

    named: Mapping[str, Tap] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Tap]:
        return iter(self.named.values())

    def __len__(self) -> int:
        return len(self.named)

    def added(self, taps: Iterable[Tap]) -> ActiveTaps:
        """Return these taps and more; each replaces one on its selection and layer.

        An equal tap is not replaced, so that sinks do not send again. Raises ValueError if the
        kind of a layer would change.
        """
        named = dict(self.named)
        for tap in taps:
            rival = next((n for n, t in named.items() if _are_rivals(t, tap)), None)
            if rival is not None:
                if _are_equal(named[rival], tap):
                    continue
                TapSet([named[rival], tap])
                del named[rival]
            named[uuid4().hex] = tap
        return ActiveTaps(named)

    def active(self, tap: Tap) -> Tap:
        """Return an active tap that is, or equals, the given one.

        Raises ValueError if there is none.
        """
        for active in self:
            if active is tap or (_are_rivals(active, tap) and _are_equal(active, tap)):
                return active
        raise ValueError(f"the tap on layer {tap.layer!r} is not active")

    def without(self, taps: Sequence[Tap]) -> ActiveTaps:
        """Return these taps without some of them.

        Raises ValueError if one of them is not active.
        """
        removed = {id(self.active(tap)) for tap in taps}
        return ActiveTaps({n: tap for n, tap in self.named.items() if id(tap) not in removed})

    def expected(self, count: Callable[[Sequence[str]], Mapping[str, int]]) -> dict[str, int]:
        """Return how many items each layer will have, as far as that is known.

        ``count`` counts the tasks of each name; it is asked if a tap selects by name.

        >>> ActiveTaps().added([Tap("frame"), Tap(int)]).expected(lambda names: {"frame": 7})
        {'frame': 7}
        """
        names = sorted({tap.select for tap in self if isinstance(tap.select, str)})
        counts = count(names) if names else {}
        expected: Counter[str] = Counter()
        for tap in (written.compile() for written in self):
            if isinstance(tap.selector, ChunkGrid):
                expected[tap.layer] += tap.selector.items
            elif isinstance(tap.selector, str) and tap.selector in counts:
                expected[tap.layer] += counts[tap.selector]
        return dict(expected)


def _are_rivals(one: Tap, other: Tap) -> bool:
    """Return whether two taps put the outputs of one selection onto one layer."""
    return one.layer == other.layer and _is_same(one.select, other.select)


def _are_equal(one: Tap, other: Tap) -> bool:
    """Return whether two taps do alike."""
    return all(_is_same(getattr(one, f.name), getattr(other, f.name)) for f in fields(Tap))


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two arguments of a tap mean alike.

    Functions that are defined again, as in a cell that is run twice, are compared by their code.
    """
    if one is other or isinstance(one, str):
        return one is other or bool(one == other)
    if type(one) is not type(other):
        return False
    try:
        return bool(one == other) or cloudpickle.dumps(one) == cloudpickle.dumps(other)
    except Exception:
        return False  # arrays have no truth, and some functions cannot be pickled
