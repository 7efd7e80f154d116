"""``dask-napari view``: a viewer that waits for clusters."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import click

from dask_napari import config
from dask_napari.cli._listening import listening_options, print_addresses, receiver_options
from dask_napari.cli._output import fail, failing
from dask_napari.cli._scheduler_option import attach_cluster
from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Receiver
from dask_napari.system import EndWatch
from dask_napari.viewer.screen_check import NoScreen, check_screen
from dask_napari.viewer.web import MissingPrograms, WebAddress, WebScreen, web_password


@click.command()
@listening_options
@click.option(
    "--memory",
    metavar="SIZE",
    help="Pictures kept in memory, such as 4GiB, a share of what is free, such as 0.5, or none for "
    "no limit; others go to disk. [default: from the configuration, 0.5]",
)
@click.option(
    "--web",
    metavar="[HOST:]PORT",
    is_flag=False,
    flag_value="6080",
    help="Show napari in a browser, at this port of this host (6080 if none is given) or, with "
    "HOST, where other hosts can reach it. The link with the password is printed. Needs Xvnc, "
    "noVNC and websockify.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Scheduler of a Dask cluster, tcp://host:port, whose tasks the dock shows, and streams by "
    "a click. Its keys are those of Dask's configuration. Without --listen, the viewer listens "
    "where the workers can reach this host.",
)
@click.option("--title", default="Dask live", show_default=True, help="Title of the window.")
def view(
    listen: tuple[str, ...],
    security_file: Path | None,
    insecure: bool,
    memory: str | None,
    web: str | None,
    scheduler: str | None,
    title: str,
) -> None:
    """Open napari and show what the sinks of any cluster send here.

    With --scheduler, tasks are streamed by a click in the dock. Otherwise, on the cluster:
    client.register_plugin(NapariSink("tcp://host:port", taps=[...])).
    """
    with failing(ValueError):
        limit = config.get_memory(memory)
    if scheduler is not None and insecure:
        raise fail("--scheduler needs keys, and --insecure has none; leave one of them out", code=2)
    end_watch = EndWatch()
    with contextlib.ExitStack() as at_end:
        on_ready: Callable[[Receiver], None] = print_addresses
        if scheduler is None:
            addresses, keys = receiver_options(listen, security_file, insecure)
        else:
            addresses, keys, on_ready = attach_cluster(scheduler, listen, security_file, at_end)
        if web is not None:
            at_end.enter_context(_browser_screen(web, keys["security"], end_watch))
        run = _load_viewer()
        with failing(ValueError, OSError):
            run(
                addresses,
                **keys,
                title=title,
                memory=limit,
                end_watch=end_watch,
                on_ready=on_ready,
            )
    end_watch.end()


def _load_viewer() -> Callable[..., None]:
    """Import napari, which takes seconds: last, and only if there is a screen for it."""
    try:
        check_screen()
        from dask_napari.viewer.app import run
    except NoScreen as error:
        raise fail(error, code=2) from None
    except ImportError as error:
        raise fail(
            f"napari is not usable: {error}\nInstall it: pip install 'dask-napari[all]'"
        ) from None
    return run


def _browser_screen(web: str, security: Security | None, end_watch: EndWatch) -> WebScreen:
    """Open a screen for a browser, and print where it is."""
    with failing(ValueError, OSError):
        try:
            screen = WebScreen(WebAddress.parse(web, web_password(security)))
        except MissingPrograms as error:
            raise fail(error, code=2) from None
    end_watch.cleanups.append(screen.close)
    os.environ.update(screen.environment)
    click.echo(f"open {screen.address.url} in a browser", err=True)
    return screen
