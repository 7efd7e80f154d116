"""``dask-napari fiji``: Fiji or ImageJ as a viewer, beside napari or alone."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from dask_napari.cli._listening import listening_options, print_addresses, receiver_options
from dask_napari.cli._output import fail, failing, log_to_terminal, printable
from dask_napari.stream.shm import janitor
from dask_napari.system import process_limits, screen_fault


@click.command()
@listening_options
@click.option(
    "--imagej",
    type=click.Path(path_type=Path),
    help="Launcher or folder of Fiji, or ij.jar of ImageJ. [default: fiji or imagej on the PATH]",
)
def fiji(
    listen: tuple[str, ...], security_file: Path | None, insecure: bool, imagej: Path | None
) -> None:
    """Open Fiji or ImageJ and show there what the sinks of any cluster send here.

    Images and labels are hyperstacks that grow, points and shapes are ROIs in the ROI manager.
    It may stand beside a viewer, with a sink of its own:
    client.register_plugin(NapariSink("tcp://host:port", taps=[...], name="fiji")). It ends with
    ImageJ, and ImageJ ends with it.
    """
    from dask_napari.fiji import FijiViewer, ImageJPrograms, MissingImageJ

    try:
        programs = ImageJPrograms.find(imagej)
    except MissingImageJ as error:
        raise fail(error, code=2) from None
    if fault := screen_fault():
        raise fail(f"ImageJ needs a screen: {fault}", code=2)
    janitor.sweep()
    process_limits.raise_descriptor_limit()
    log_to_terminal()
    addresses, keys = receiver_options(listen, security_file, insecure)
    with failing(ValueError, OSError):
        viewer = FijiViewer(addresses, programs, **keys)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: viewer.ended.set())
    with viewer:
        print_addresses(viewer.receiver)
        click.echo(f"ImageJ {viewer.imagej.version}; Ctrl-C ends both", err=True)
        viewer.run()
    click.echo(printable(viewer.receiver.ledger()), err=True)
