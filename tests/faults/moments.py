"""Random moments, their seed, and the figures of a run.

``FAULT_MOMENTS`` (1 if not set; ``make faults`` sets 20) is how often each fault strikes, and
``FAULT_SEED`` repeats a run.
"""

from __future__ import annotations

import os
import secrets
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

MOMENTS = int(os.environ.get("FAULT_MOMENTS", "1"))
SEED = os.environ.get("FAULT_SEED") or secrets.token_hex(4)
LONG = MOMENTS > 5
"""Whether this is the long run, which stops viewers for longer and measures makespans."""


@dataclass
class Figures:
    """What a fault did."""

    moments: int = 0
    left: int = 0
    ratios: list[float] = field(default_factory=list)


FIGURES: dict[str, Figures] = {}


def moments(name: str) -> Iterator[Random]:
    """A generator of random numbers for each moment of a fault."""
    figures = FIGURES.setdefault(name, Figures())
    for number in range(MOMENTS):
        print(f"{name}: moment {number + 1} of {MOMENTS}, FAULT_SEED={SEED}", flush=True)
        yield Random(f"{SEED} {name} {number}")
        figures.moments += 1


def nothing_left(name: str, found: list[str]) -> None:
    """Count what was found, and fail if it is anything."""
    FIGURES.setdefault(name, Figures()).left += len(found)
    assert not found, found


def report() -> str:
    """A table of the figures."""
    lines = [
        "| fault | moments | left over | makespan, median ratio (range) |",
        "|---|---|---|---|",
    ]
    for name, figures in FIGURES.items():
        ratios = figures.ratios
        text = ""
        if ratios:
            middle = statistics.median(ratios)
            text = f"{middle:.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        lines.append(f"| {name} | {figures.moments} | {figures.left} | {text} |")
    return "\n".join(lines)
