"""Active taps of one handle, and how many items they announce."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from dask_napari.placement import ChunkGrid
from dask_napari.tap import Tap


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
        """Return these taps and more."""
        return ActiveTaps({**self.named, **{uuid4().hex: tap for tap in taps}})

    def with_watched(self, taps: Sequence[Tap]) -> ActiveTaps:
        """Return these taps and those of watched arrays, which replace older ones on the array."""
        known = {(tap.select, tap.layer) for tap in taps}
        others = {
            name: tap
            for name, tap in self.named.items()
            if not isinstance(tap.select, ChunkGrid) or (tap.select, tap.layer) not in known
        }
        return ActiveTaps(others).added(taps)

    def without(self, taps: Sequence[Tap]) -> ActiveTaps:
        """Return these taps without some of them: the very ones, not their equals.

        Raises ValueError if one of them is not active.
        """
        active = {id(tap) for tap in self}
        for tap in taps:
            if id(tap) not in active:
                raise ValueError(f"the tap on layer {tap.layer!r} is not active")
        removed = {id(tap) for tap in taps}
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
