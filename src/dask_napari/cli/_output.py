"""Output of the commands: errors, tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import click

COLORS: Final = {"ok": "green", "alive": "green", "warning": "yellow", "bad": "red", "dead": "red"}
"""Words that a table shows in colour."""


def fail(error: Exception | str, code: int = 1) -> click.exceptions.Exit:
    """Print an error and return the exception that ends the command."""
    click.echo(f"{click.style('error:', fg='red')} {error}", err=True)
    return click.exceptions.Exit(code)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text in columns, each as wide as its longest cell."""
    lines = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        cells = [
            click.style(cell.ljust(width), fg=COLORS.get(cell), bold=number == 0)
            for cell, width in zip(line, widths, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())
