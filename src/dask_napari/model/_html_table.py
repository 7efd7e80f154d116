"""Tables for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def html_table(
    titles: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()
) -> str:
    """Return a table as HTML, with notes below; cells are text that others may have chosen.

    >>> html_table(["layer"], [["<b>"]])
    '<table><tr><th>layer</th></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """
    lines = [("th", titles), *(("td", row) for row in rows)]
    cells = (
        "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in row) for tag, row in lines
    )
    table = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table>{table}</table>" + "".join(f"<p>{html.escape(note)}</p>" for note in notes)
