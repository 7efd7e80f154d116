"""``dask-napari demo``: a cluster on this host and a plate that fills."""

from __future__ import annotations

from pathlib import Path

import click

from dask_napari.cli._output import failing

AT_LEAST_ONE = click.IntRange(min=1)


@click.command()
@click.option("--wells", type=AT_LEAST_ONE, default=24, show_default=True, help="Wells.")
@click.option("--fields", type=AT_LEAST_ONE, default=4, show_default=True, help="Fields a well.")
@click.option("--workers", type=AT_LEAST_ONE, default=2, show_default=True, help="Processes.")
@click.option(
    "--screenshot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save the window as a PNG file and end, instead of staying open.",
)
def demo(wells: int, fields: int, workers: int, screenshot: Path | None) -> None:
    """Watch a small synthetic plate being imaged and segmented on a cluster of this host.

    The pictures are computed from random numbers; examples/plate.py in the repository shows a
    pipeline on real ones.
    """
    from distributed import Client, LocalCluster, as_completed

    from dask_napari.cli._demo_tasks import expose, segment
    from dask_napari.live import ViewerFailed, watch

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
        with failing(ViewerFailed):
            live = watch(client, title="dask-napari demo")
        with live, failing(TimeoutError, ConnectionError):
            live.tap("expose", layer="raw", at=at)
            live.tap("segment", kind="labels", layer="cells", at=at)
            exposed = client.map(expose, names, pure=False)
            keys = [f"segment-{name}" for name in names]
            cells = client.map(segment, exposed, key=keys, pure=False)
            with click.progressbar(length=len(cells), label="segmenting") as bar:
                for _ in as_completed(cells):
                    bar.update(1)
            click.echo(str(live.wait(60)))
            if screenshot is not None:
                click.echo(f"saved {live.screenshot(screenshot)}")
            else:
                click.echo("Close the window to end.")
                live.block()
