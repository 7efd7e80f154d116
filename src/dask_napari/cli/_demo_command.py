"""``dask-napari demo``: a cluster on this host and a plate that fills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress


def demo(
    wells: Annotated[int, typer.Option(min=1, help="Wells of the plate.")] = 24,
    fields: Annotated[int, typer.Option(min=1, help="Fields of a well.")] = 4,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    screenshot: Annotated[
        Path | None,
        typer.Option(help="Save the window as a PNG file and end, instead of staying open."),
    ] = None,
) -> None:
    """Watch a small made-up plate being imaged and segmented on a cluster of this host.

    The pictures are computed from random numbers; examples/plate.py in the repository shows a
    pipeline on real ones.
    """
    from distributed import Client, LocalCluster, as_completed

    from dask_napari.cli._demo_tasks import expose, segment
    from dask_napari.live import ViewerFailed, watch

    console = Console()
    names = [
        f"P1_{'ABCDEFGH'[well // 12 % 8]}{well % 12 + 1:02d}_s{field}"
        for well in range(wells)
        for field in range(1, fields + 1)
    ]
    at = "{plate}_{well}_s{field:d}"
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        try:
            live = watch(client, title="dask-napari demo")
        except ViewerFailed as error:
            console.print(f"[red]error:[/red] {error}", highlight=False)
            raise typer.Exit(1) from None
        with live, Progress(console=console) as progress:
            live.tap("expose", layer="raw", at=at)
            live.tap("segment", kind="labels", layer="cells", at=at)
            fresh = client.map(expose, names, pure=False)
            cells = client.map(
                segment, fresh, key=[f"segment-{name}" for name in names], pure=False
            )
            bar = progress.add_task("segmenting", total=len(cells))
            for _ in as_completed(cells):
                progress.advance(bar)
            ledger = live.wait(60)
            progress.stop()
            console.print(str(ledger), highlight=False)
            if screenshot is not None:
                console.print(f"saved {live.screenshot(screenshot)}", highlight=False)
            else:
                console.print("Close the window to end.")
                live.block()
