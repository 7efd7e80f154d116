"""Tables of ratios, for the terminal and for ``docs/benchmarks.md``."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Return one line that describes this machine."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    parts = ", ".join(f"{name} {version(name)}" for name in ("numpy", "pyzmq", "distributed"))
    return (
        f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, "
        f"Python {platform.python_version()}, {parts}"
    )


def milliseconds(work: Callable[[], object], repeats: int = 100) -> float:
    """Return the median time of some work."""
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return 1e3 * statistics.median(took)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table that is also readable in a terminal."""
    cells = [list(map(str, columns)), *[list(map(_text, row)) for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return f"### {title}\n\n" + "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def publish(name: str, command: str, text: str) -> None:
    """Print a report, and save it in the folder ``BENCH_SAVE`` if that variable is set."""
    report = f"## {name}\n\n`{command}` on {machine()}.\n\n{text}"
    print(report, flush=True)
    if folder := os.environ.get("BENCH_SAVE"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.md").write_text(report)
