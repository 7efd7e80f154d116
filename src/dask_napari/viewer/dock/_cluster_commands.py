"""Commands of the dock to the client of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask_napari.model import Command, CommandName, PlainValue, Reports

if TYPE_CHECKING:
    from dask_napari.stream.receive import Receiver


class ClusterCommands:
    """Send commands; if no client is there to take one, the viewer says so."""

    def __init__(self, receiver: Receiver, reports: Reports) -> None:
        self._receiver = receiver
        self._reports = reports

    def __repr__(self) -> str:
        return f"<ClusterCommands to {self._receiver.cluster}>"

    @property
    def possible(self) -> bool:
        """Return whether a client takes commands."""
        return self._receiver.cluster.attached

    def refresh(self) -> None:
        """Say which commands may not have reached the client."""
        for command in self._receiver.cluster.take_lost():
            self._reports.error(
                f"{command.name} may not be done",
                "the client of the cluster has not said that it heard of it; look at the tasks, "
                "and click again",
            )

    def send(self, name: CommandName, **arguments: PlainValue) -> bool:
        """Send a command; return whether somebody takes it."""
        sent = self._receiver.cluster.command(Command(name, arguments))
        if not sent:
            self._reports.error(
                f"{name} is not done",
                "no client is attached to the cluster; keep the script with `watch` running, or "
                "start the viewer with the address of the scheduler",
            )
        return sent
