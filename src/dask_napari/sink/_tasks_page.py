"""The page ``/dask-napari`` of the Dask dashboard: the taps, as rows of text.

The source of this module is sent to the scheduler; so it imports nothing of the package.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tornado.web import Application, RequestHandler

ROWS: Final = 200
"""Rows of one client; a page is for people, and its scheduler has other things to do."""

LETTERS: Final = 200
"""Characters of a name or a reason."""

REFRESH: Final = 2
"""Seconds until the page is asked for anew."""

TITLES: Final = (
    *("layer", "done", "tasks", "rate", "running", "waiting", "failed"),
    *("selected", "shown", "coalesced", "pending", "dropped"),
)

HEAD: Final = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{REFRESH}">
<title>Dask live</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px sans-serif; margin: 1.5em; }}
table {{ border-collapse: collapse; margin-bottom: 1.5em; }}
th, td {{ padding: .3em .8em; text-align: right; border-bottom: 1px solid #8886; }}
th:first-child, td:first-child {{ text-align: left; }}
.bad {{ color: light-dark(#b00020, #ff7a85); font-weight: bold; }}
</style></head><body>
<h1>Dask live</h1>
"""

Counts = tuple[int, int, int, int]


class PageRow(NamedTuple):
    """A layer: how many of its tasks wait, run, are computed and have failed, and its ledger.

    The ledger has a ``rate``, ``selected``, ``shown``, ``coalesced``, ``pending``, and what was
    ``dropped`` by reason; None before the client has told it.
    """

    layer: str
    tasks: Counts
    ledger: Mapping[str, Any] | None


def tasks_page(rows: Callable[[], Mapping[str, Sequence[PageRow]]]) -> Application:
    """Return an application with the page, of a function that returns the rows of each client."""

    class Page(RequestHandler):
        def get(self) -> None:
            self.set_header(
                "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"
            )
            self.set_header("Cache-Control", "no-store")
            self.finish(page_text(rows()))

    # Behind a proxy Dask has a prefix, of any depth.
    return Application([(r"(?:/.*)?/dask-napari/?", Page)])


def page_text(clients: Mapping[str, Sequence[PageRow]]) -> str:
    """Return the page.

    >>> text = page_text({"Client-1": [PageRow("<b>", (1, 0, 2, 0), None)]})
    >>> "<td>&lt;b&gt;</td><td>2</td><td>3</td>" in text
    True
    """
    parts = [HEAD]
    for client, rows in clients.items():
        lines = [f"<h2>{_escaped(client)}</h2>", "<table><tr>"]
        lines += [f"<th>{title}</th>" for title in TITLES]
        lines.append("</tr>")
        lines += [_line(row) for row in rows[:ROWS]]
        lines.append("</table>")
        if len(rows) > ROWS:
            lines.append(f"<p>{len(rows) - ROWS} more layers</p>")
        parts += lines if rows else [lines[0], "<p>No tap streams anything yet.</p>"]
    if not clients:
        parts.append("<p>No viewer is attached.</p>")
    return "".join([*parts, "</body></html>"])


def _line(row: PageRow) -> str:
    waiting, running, computed, failed = row.tasks
    total = waiting + running + computed + failed
    known = row.ledger or {}
    cells = [
        _escaped(row.layer),
        computed,
        total,
        _escaped(known.get("rate", "")),
        running,
        waiting,
    ]
    numbers = [known.get(name, "…") for name in ("selected", "shown", "coalesced", "pending")]
    dropped = known.get("dropped")
    reasons: Iterable[str] = ()
    if dropped:
        reasons = (f"{int(number):,} {_escaped(reason)}" for reason, number in dropped.items())
    text = "<br>".join(reasons) or ("…" if dropped is None else "0")
    return "".join(
        [
            "<tr>",
            *map(_cell, cells),
            _cell(failed, bad=failed > 0),
            *map(_cell, numbers),
            _cell(text, bad=bool(dropped)),
            "</tr>",
        ]
    )


def _cell(content: Any, *, bad: bool = False) -> str:
    text = f"{content:,}" if isinstance(content, int) else content
    return f'<td class="bad">{text}</td>' if bad else f"<td>{text}</td>"


def _escaped(text: object) -> str:
    return html.escape(str(text)[:LETTERS])
