"""``dask-napari view``: a viewer that waits for clusters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dask_napari import config
from dask_napari.stream.receiver import ANY_IPC
from dask_napari.stream.security import Security, is_local

if TYPE_CHECKING:
    from dask_napari.stream.receiver import Receiver

DEFAULT_LISTEN = "tcp://127.0.0.1:5577"


def view(
    listen: Annotated[
        list[str] | None,
        typer.Option(
            help="Address to listen on, `tcp://host:port`; may be given several times. Others "
            f"than this host can reach only what you name. [default: {DEFAULT_LISTEN}]"
        ),
    ] = None,
    security_file: Annotated[
        Path | None,
        typer.Option(
            help="Keys for encryption; made if the file does not exist. Workers need the file "
            "FILE.client that is written beside it: `NapariSink(..., "
            "security=Security.load(FILE))`. Without this option a viewer for this host makes new "
            "keys, which sinks of the same user find by themselves."
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            help="Ask for no keys, and allow plain TCP that other hosts can reach, on a network "
            "you trust. Requests for a screenshot or to quit are refused then."
        ),
    ] = False,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Pictures kept in memory, such as 4GiB, a share of what is free, such as 0.5, or "
            "none for no limit; others go to disk. [default: from the configuration, 0.5]"
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the window.")] = "Dask live",
) -> None:
    """Open napari and show what the sinks of any cluster send here.

    On the cluster: `client.register_plugin(NapariSink("tcp://host:port", taps=[...]))`.
    """
    console = Console(stderr=True)
    addresses = listen or [DEFAULT_LISTEN]
    try:
        limit = config.get_memory(memory)
        security = _security(security_file)
    except (ValueError, OSError) as error:
        console.print(f"[red]error:[/red] {error}", highlight=False)
        raise typer.Exit(1) from None
    if security is None and not insecure and not all(map(is_local, addresses)):
        console.print(
            "[red]Other hosts can reach these addresses, and nothing would be encrypted.[/red]\n"
            "Add --security-file keys.json, or --insecure on a network that you trust."
        )
        raise typer.Exit(2)
    # On this host the same user's sinks find the keys by themselves, and nobody else does.
    share = security is None and not insecure
    security = Security.generate() if share else security
    try:
        from dask_napari.viewer.app import run
    except ImportError as error:
        console.print(f"[red]napari is not usable:[/red] {error}")
        console.print("Install it: pip install 'dask-napari\\[all]'")
        raise typer.Exit(1) from None

    def ready(receiver: Receiver) -> None:
        for address in receiver.addresses:
            console.print(f"listening on [bold]{address}[/bold]", highlight=False)

    try:
        run(
            [*addresses, ANY_IPC],
            security=security,
            insecure=insecure,
            share_keys=share,
            title=title,
            memory=limit,
            on_ready=ready,
        )
    except (ValueError, OSError) as error:
        console.print(f"[red]error:[/red] {error}", highlight=False)
        raise typer.Exit(1) from None


def _security(path: Path | None) -> Security | None:
    if path is None:
        return None
    if path.exists():
        return Security.load(path)
    security = Security.generate()
    security.save(path)
    security.client().save(path.with_name(path.name + ".client"))
    return security
