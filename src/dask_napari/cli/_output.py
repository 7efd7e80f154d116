"""Output of the commands: errors, tables."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

COLORS: Final = {"ok": "green", "alive": "green", "warning": "yellow", "bad": "red", "dead": "red"}
"""Words that a table shows in colour."""


def printable(text: object) -> str:
    r"""Return text without the control characters by which a peer could rewrite the terminal.

    >>> printable("cells\x1b[2J"), printable("a\nb")
    ('cells\\x1b[2J', 'a\nb')
    """
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode()
        for c in str(text)
    )


class PrintableFormatter(logging.Formatter):
    """Format records of the log for a terminal: peers' names and errors are in them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record, without control characters."""
        return printable(super().format(record))


def log_to_terminal() -> None:
    """Write the log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])


def fail(error: Exception | str, code: int = 1) -> click.exceptions.Exit:
    """Print an error and return the exception that ends the command."""
    click.echo(f"{click.style('error:', fg='red')} {printable(error)}", err=True)
    return click.exceptions.Exit(code)


@contextlib.contextmanager
def failing(*expected: type[Exception]) -> Iterator[None]:
    """End the command with the text of an expected error, without a traceback."""
    try:
        yield
    except expected as error:
        raise fail(error) from None


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text in columns, each as wide as its longest cell."""
    lines = [titles, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        cells = [
            click.style(cell.ljust(width), fg=COLORS.get(cell), bold=number == 0)
            for cell, width in zip(line, widths, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())
