"""Options that viewers and recorders share: their addresses, and who may connect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import click

from dask_napari.cli._output import fail, failing
from dask_napari.stream.auth import Security, is_local
from dask_napari.stream.receive import ANY_IPC, Receiver

DEFAULT_LISTEN: Final = "tcp://127.0.0.1:5577"

P = ParamSpec("P")
R = TypeVar("R")


def listening_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command the options ``--listen``, ``--security-file`` and ``--insecure``."""
    for option in (
        click.option(
            "--insecure",
            is_flag=True,
            help="Ask for no keys, and allow plain TCP that other hosts can reach, on a network "
            "you trust. Requests for a screenshot or to quit are refused then.",
        ),
        click.option(
            "--security-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Keys for encryption; made if the file does not exist. Workers need the file "
            "FILE.client that is written beside it: NapariSink(..., "
            "security=Security.load(FILE)). Without this option new keys are made, which "
            "sinks of the same user on this host find by themselves.",
        ),
        click.option(
            "--listen",
            multiple=True,
            metavar="ADDRESS",
            help="Address to listen on, tcp://host:port; may be given several times. Hosts other "
            f"than this one can reach only the addresses named here. [default: {DEFAULT_LISTEN}]",
        ),
    ):
        command = option(command)
    return command


def receiver_options(
    listen: tuple[str, ...], security_file: Path | None, insecure: bool
) -> tuple[list[str], dict[str, Any]]:
    """Return addresses and key options of a receiver; end the command with what is wrong."""
    addresses = list(listen) or [DEFAULT_LISTEN]
    with failing(ValueError, OSError):
        security = load_keys(security_file)
    if security is None and not insecure and not all(map(is_local, addresses)):
        raise fail(
            "other hosts can reach these addresses, and nothing would be encrypted; add "
            "--security-file keys.json, or --insecure on a network that you trust",
            code=2,
        )
    return [*addresses, ANY_IPC], {"security": security, "insecure": insecure}


def load_keys(path: Path | None) -> Security | None:
    """Read the keys in a file; make the file, and the clients' beside it, if it does not exist."""
    if path is None:
        return None
    if path.exists():
        return Security.load(path)
    security = Security.generate()
    security.save(path)
    security.client().save(path.with_name(path.name + ".client"))
    return security


def print_addresses(receiver: Receiver) -> None:
    """Print where a receiver listens."""
    for address in receiver.addresses:
        click.echo(f"listening on {address}", err=True)
