"""``watch``: open a viewer and register its sinks."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from dask_napari import config
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.live._live import Live
from dask_napari.live._open_handles import OpenHandles
from dask_napari.live._viewer_endpoint import ViewerEndpoint
from dask_napari.live._viewer_process import ViewerProcess
from dask_napari.sink import SINK_NAME, NapariSink
from dask_napari.stream import Control
from dask_napari.stream.send import Transport, check_transport
from dask_napari.stream.shm import janitor

if TYPE_CHECKING:
    from distributed import Client


TITLE: Final = "Dask live"

_handles: Final = OpenHandles()


def watch(
    client: Client,
    *,
    new: bool = False,
    listen: str | Iterable[str] | None = None,
    advertise: str | Iterable[str] | None = None,
    transport: Transport | None = None,
    title: str = TITLE,
    memory: int | float | str | None = None,
    insecure: bool = False,
    timeout: float | None = None,
) -> Live:
    """Open napari and stream into it what the taps of the returned handle select.

    Called again, it returns the handle that is there, so that a cell of a notebook may be run
    again. If the window was closed, a new one opens.

    Parameters
    ----------
    client : distributed.Client
        Connected to any Dask cluster; not an asynchronous one. A program whose event loop runs
        the cluster makes a synchronous one in a thread (``asyncio.to_thread``), and calls this
        function and the handle in threads, too: they wait for the cluster.
    new : bool
        Open a viewer of its own though the client has one.
    listen : str or iterable of str, optional
        Addresses for the viewer to listen on, ``tcp://host:port``. By default a private socket
        for workers on this host, and an encrypted TCP port where the workers can dial this host:
        they are asked. Of a wildcard, ``tcp://0.0.0.0:5577``, workers are told hosts that they
        can dial.
    advertise : str or iterable of str, optional
        Addresses that workers dial instead of those that the viewer listens on: the far ends of
        tunnels, or forwarded ports.
    transport : {"auto", "shared-memory", "inline"}, optional
        How items travel; ``auto`` uses shared memory where it is proved to be shared.
    title : str
        Title of the window.
    memory : int, float or str, optional
        Pictures that the viewer keeps in memory, ``"4GiB"``, a share of what is available now,
        such as ``0.5``, or ``"none"`` for no limit; others go to disk. The configuration's
        ``memory`` if not given.
    insecure : bool
        Allow plain TCP that other hosts can reach.
    timeout : float, optional
        Seconds for the window to open; the configuration's ``viewer-timeout`` if not given.

    Returns
    -------
    Live
        A context manager: at its end the viewer closes and the sinks are gone.

    Raises
    ------
    TypeError
        If ``client`` is not a synchronous client.
    ValueError
        If ``listen``, ``transport`` or ``memory`` is not usable, ``insecure`` is given while
        Dask requires encryption, or the client's viewer was opened with other options than these.
    ConnectionError
        If no worker can dial the viewer; the text says which ones tried which addresses.
    ViewerFailed
        If the window does not open.

    Examples
    --------
    >>> from dask.distributed import Client, wait
    >>> with Client() as client, watch(client) as live:  # doctest: +SKIP
    ...     live.tap("segment", kind="labels", at="{well}_s{field:d}.tif")
    ...     futures = client.map(segment, paths)
    ...     done = wait(futures)
    ...     live.wait()
    """
    _check_client(client)
    check_transport(transport or config.get("transport"))
    listen, advertise = _frozen(listen), _frozen(advertise)
    options = {
        "listen": listen,
        "advertise": advertise,
        "transport": transport,
        "title": None if title == TITLE else title,
        "memory": memory,
        "insecure": insecure or None,
    }

    def make() -> Live:
        endpoint = ViewerEndpoint.for_client(client, listen, insecure, advertise)
        return _open(client, endpoint, title, memory, transport, timeout)

    named = {name: value for name, value in options.items() if value is not None}
    return _handles.get(client, named, new, make)


def _open(
    client: Client,
    endpoint: ViewerEndpoint,
    title: str,
    memory: int | float | str | None,
    transport: Transport | None,
    timeout: float | None,
) -> Live:
    """Open a viewer, and register its sinks; leave nothing behind if one of them fails."""
    janitor.sweep()
    with contextlib.ExitStack() as undo:
        viewer = ViewerProcess(
            endpoint.addresses,
            security=endpoint.security,
            title=title,
            memory=config.get_memory(memory),
            insecure=endpoint.insecure,
            timeout=config.get_seconds("viewer-timeout") if timeout is None else timeout,
        )
        undo.callback(viewer.close)
        control = Control(
            viewer.addresses,
            security=endpoint.security,
            insecure=endpoint.insecure,
            alive=lambda: viewer.running,
        )
        undo.callback(control.close)
        told = endpoint.told(viewer.addresses)
        sink = NapariSink(
            told,
            transport=transport,
            security=endpoint.security.client(),
            insecure=endpoint.insecure,
            name=f"{SINK_NAME}-{uuid.uuid4().hex[:8]}",
        )
        sinks = ClusterSinks(client, sink)
        undo.callback(sinks.close)
        sinks.register()
        live = Live(client, viewer, control, sinks, told)
        undo.pop_all()
    return live


def _frozen(addresses: str | Iterable[str] | None) -> str | tuple[str, ...] | None:
    return addresses if addresses is None or isinstance(addresses, str) else tuple(addresses)


def _check_client(client: object) -> None:
    """Refuse anything but a synchronous client with a cluster."""
    from distributed import Client

    if not isinstance(client, Client):
        raise TypeError(f"watch() needs a distributed.Client, not {type(client).__name__}")
    if client.asynchronous:
        raise TypeError(
            "watch() needs a synchronous client; in an asynchronous program, make one in a thread, "
            "client = await asyncio.to_thread(Client, address, set_as_default=False), and call "
            "watch and the methods of its handle in threads, too"
        )
    if client.status != "running":
        raise ValueError(f"the client is {client.status}; connect it to a cluster first")
