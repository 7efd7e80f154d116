"""``dask-napari status``: ask a viewer how it is; containers and batch jobs do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from dask_napari.cli._listening import DEFAULT_LISTEN
from dask_napari.cli._output import failing, printable
from dask_napari.model import rate_text
from dask_napari.stream import Control
from dask_napari.stream.auth import Security


@click.command()
@click.argument("address", default=DEFAULT_LISTEN)
@click.option(
    "--security-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keys of that viewer, or their part FILE.client; those on this host are found without.",
)
@click.option("--insecure", is_flag=True, help="Ask without keys where none are given or found.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.0),
    default=10.0,
    show_default=True,
    help="Seconds to wait for an answer.",
)
def status(address: str, security_file: Path | None, insecure: bool, timeout: float) -> None:
    """Ask the viewer at ADDRESS for its workers and its ledger.

    Exit code 1 says that it does not answer, or that its window hangs.
    """
    with failing(ValueError, OSError, RuntimeError):
        security = Security.load(security_file) if security_file is not None else None
        control = Control([address], security=security, insecure=insecure, timeout=timeout)
        try:
            ledger = control.ledger(timeout=timeout)
            rates = _rates(control, timeout)
            if not insecure:
                click.echo(_workers(control.request("peers", timeout=timeout)["peers"]))
                control.request("layers", timeout=timeout)  # the window answers that itself
        finally:
            control.close()
    click.echo(printable(ledger))
    for layer, rate in rates.items():
        click.echo(printable(f"{layer}: {rate}"))


def _rates(control: Control, timeout: float) -> dict[str, str]:
    """Return the rates of the layers that move, of a viewer that tells them."""
    try:
        rates = control.sums(timeout=timeout)[1]
    except RuntimeError:  # of an older version
        return {}
    texts = {layer: rate_text(rate) for layer, rate in rates.items()}
    return {layer: f"{text.replace('/', ' items/')}" for layer, text in texts.items() if text}


def _workers(peers: list[tuple[str, str, bool]]) -> str:
    """Describe the workers as the dock does.

    >>> _workers([("a#1", "inline", True), ("b#1", "inline", True), ("c#1", "inline", False)])
    '2 workers by inline'
    """
    ways = Counter(transport for _, transport, alive in peers if alive)
    found = [f"{n} worker{'s' * (n != 1)} by {way}" for way, n in sorted(ways.items())]
    return printable(", ".join(found) or "no workers")
