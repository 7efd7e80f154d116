"""Where a viewer or recorder listens, and who may connect: the options that they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dask_napari.stream.auth import Security, is_local
from dask_napari.stream.receive import ANY_IPC

if TYPE_CHECKING:
    from dask_napari.stream.receive import Receiver


DEFAULT_LISTEN = "tcp://127.0.0.1:5577"

Listen = Annotated[
    list[str] | None,
    typer.Option(
        help="Address to listen on, `tcp://host:port`; may be given several times. Others "
        f"than this host can reach only what you name. [default: {DEFAULT_LISTEN}]"
    ),
]
SecurityFile = Annotated[
    Path | None,
    typer.Option(
        help="Keys for encryption; made if the file does not exist. Workers need the file "
        "FILE.client that is written beside it: `NapariSink(..., "
        "security=Security.load(FILE))`. Without this option new keys are made, which "
        "sinks of the same user on this host find by themselves."
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        help="Ask for no keys, and allow plain TCP that other hosts can reach, on a network "
        "you trust. Requests for a screenshot or to quit are refused then."
    ),
]


@dataclass(frozen=True)
class Listening:
    """Addresses and keys of a receiver."""

    addresses: list[str]
    security: Security | None
    insecure: bool
    share_keys: bool

    @property
    def options(self) -> dict[str, Any]:
        """What a :class:`~dask_napari.stream.Receiver` is told of keys."""
        return {
            "security": self.security,
            "insecure": self.insecure,
            "share_keys": self.share_keys,
        }


def listening(
    listen: list[str] | None, security_file: Path | None, insecure: bool, console: Console
) -> Listening:
    """Make of the options what a receiver wants; end with what is wrong with them."""
    addresses = listen or [DEFAULT_LISTEN]
    try:
        security = load(security_file)
    except (ValueError, OSError) as error:
        raise failed(console, error) from None
    if security is None and not insecure and not all(map(is_local, addresses)):
        console.print(
            "[red]Other hosts can reach these addresses, and nothing would be encrypted.[/red]\n"
            "Add --security-file keys.json, or --insecure on a network that you trust."
        )
        raise typer.Exit(2)
    # On this host the same user's sinks find the keys by themselves, and nobody else does.
    share = security is None and not insecure
    security = Security.generate() if share else security
    return Listening([*addresses, ANY_IPC], security, insecure, share)


def load(path: Path | None) -> Security | None:
    """Read the keys in a file, or make it."""
    if path is None:
        return None
    if path.exists():
        return Security.load(path)
    security = Security.generate()
    security.save(path)
    security.client().save(path.with_name(path.name + ".client"))
    return security


def say(console: Console, receiver: Receiver) -> None:
    """Tell where it listens."""
    for address in receiver.addresses:
        console.print(f"listening on [bold]{address}[/bold]", highlight=False)


def failed(console: Console, error: Exception) -> typer.Exit:
    """Tell what went wrong, and what to end with."""
    console.print(f"[red]error:[/red] {error}", highlight=False)
    return typer.Exit(1)
