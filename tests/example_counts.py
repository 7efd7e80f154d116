"""Examples that tests of properties try: few in `make test`, many times as many in `make fuzz`."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))


def examples(number: int) -> int:
    """Return the examples to try where ``make test`` tries a number."""
    return number * TIMES
