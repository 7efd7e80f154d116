"""PolyStore's backend for napari, with a publisher of dask-napari in place of its sockets."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import threading
import uuid
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from typing import Any, Final

import polystore.napari_stream
from polystore.backend_registry import STORAGE_BACKENDS
from polystore.streaming import StreamingBackend

from dask_napari import config
from dask_napari.model import Item, Kind, LayerSpec, Refusal, contain
from dask_napari.openhcs._receipts import Receipt, Receipts, SavedEntry, tracker_of
from dask_napari.openhcs._running_viewer import announce_viewer
from dask_napari.openhcs._save_calls import FilePath, SaveCall, check_lengths, save_call
from dask_napari.openhcs._saved_items import SavedFields, image_items, saved_fields
from dask_napari.openhcs._saved_rois import roi_items
from dask_napari.stream.auth import Security
from dask_napari.stream.send import Publisher
from dask_napari.tap import Axis, axes_by_name

logger = logging.getLogger(__name__)

TAIL_TIMEOUT: Final = 10.0
"""Seconds in which :meth:`NapariBackend.cleanup` delivers what waits, where a viewer takes it."""

NO_VIEWER_TIMEOUT: Final = 1.5
"""Seconds in which it looks for a viewer once more, where there was none."""

GROUP: Final = "openhcs"
"""All processes of a pipeline fill one run."""


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """Options of backends, which PolyStore makes without arguments."""

    security: Security | None = None
    insecure: bool | None = None
    axes: Mapping[str, Axis] = field(default_factory=dict)


@dataclass(slots=True)
class _ViewerStream:
    """Stream to one viewer: its publisher, its receipts, and the layers that were declared."""

    publisher: Publisher
    receipts: Receipts
    declared: dict[str, LayerSpec] = field(default_factory=dict)

    def declare(self, spec: LayerSpec) -> None:
        """Declare a layer, unless it was declared so."""
        if self.declared.get(spec.name) != spec:
            self.declared[spec.name] = spec
            self.publisher.declare([spec])

    def close(self) -> None:
        """Deliver what waits, and end the threads."""
        connected = self.publisher.state == "connected"
        self.publisher.close(TAIL_TIMEOUT if connected else NO_VIEWER_TIMEOUT)
        self.receipts.end(TAIL_TIMEOUT)


class NapariBackend(StreamingBackend):
    """Backend of PolyStore that shows what a pipeline saves in a viewer of dask-napari.

    It takes the calls of PolyStore's own backend for napari, in both of their forms, and never
    blocks: images are copied and queued. Its viewer is ``dask-napari view --listen
    tcp://127.0.0.1:PORT``, at the port that the pipeline streams to.

    Parameters
    ----------
    transport_config : ZMQConfig, optional
        Not used; PolyStore's backends take it.
    options : BackendOptions, optional
        Keys, and layouts of axes; those of :func:`register` if not given.
    """

    _backend_type = "dask_napari"
    VIEWER_TYPE = "napari"
    SHM_PREFIX = "napari_"
    defaults: BackendOptions = BackendOptions()

    def __init__(self, transport_config: Any = None, options: BackendOptions | None = None) -> None:
        super().__init__() if transport_config is None else super().__init__(transport_config)
        self._options = options or type(self).defaults
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._streams: dict[str, _ViewerStream] = {}
        self._sources: dict[str, tuple[str, ...]] = {}
        # A forked worker ends without `atexit`; here is what multiprocessing runs then.
        Finalize(None, _deliver, (weakref.ref(self),), exitpriority=10)

    def __repr__(self) -> str:
        return f"<NapariBackend: {', '.join(self._streams) or 'no viewers'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (None, self._options)

    def __del__(self) -> None:
        """Do nothing: publishers that are forgotten end themselves, and nobody waits for them."""

    def accepts_payload(self, data: Any, identifier: FilePath) -> bool:
        """Return whether a value is shown: by its file name, and unless it is an empty image."""
        if not self.supports_file_path(identifier):
            return False
        return _is_archive(identifier) or _are_rois(data) or 0 not in getattr(data, "shape", (1,))

    def supports_file_path(self, path: FilePath) -> bool:
        """Return whether files of this name are shown."""
        return os.path.basename(os.fspath(path)).lower().endswith(tuple(self.SUPPORTED_EXTENSIONS))

    def save_batch(self, data_list: Any, file_paths: Any, **kwargs: Any) -> None:
        """Queue images or regions of interest for the viewer. Never blocks.

        A value that cannot be shown is counted and reported; the others are shown.

        Parameters
        ----------
        data_list : sequence
            Images, or lists of PolyStore's ``ROI``.
        file_paths : sequence of str or path
            One a value. Files of other types than images and ``.roi.zip`` are skipped.
        **kwargs
            ``stream_request``; in PolyStore up to 0.1.9 ``host``, ``port``, ``transport_mode``,
            ``display_config``, ``microscope_handler``, ``source`` and ``plate_path``.

        Raises
        ------
        ValueError
            If there are not as many paths as values, or the arguments cannot be used. Nothing is
            queued then.
        """
        check_lengths(data_list, file_paths)
        shown = self._shown(data_list, file_paths)
        if not shown:
            return
        call = save_call(kwargs, self._options.axes, self._source_label)
        fields = saved_fields(call.fields)
        sources = [call.source(number) for number in range(len(shown))]
        positions = [call.position(path, number) for number, (_, path) in enumerate(shown)]
        made = [
            (source, str(path), _items(value, str(path), source, position, fields))
            for (value, path), source, position in zip(shown, sources, positions, strict=True)
        ]
        stream = self._stream(call)
        tracker = tracker_of(call.port, self.VIEWER_TYPE)
        for source, key, items in made:
            receipt = stream.receipts.issue(tracker, uuid.uuid4().hex) if tracker else Receipt()
            if isinstance(items, Refusal):
                stream.publisher.outbox.refuse(source, items.reason)
                stream.publisher.reports.error(items.reason, items, layer=source, key=key)
                continue
            for kind, item in items:
                stream.declare(call.axes.layer(item.layer, kind))
                stream.publisher.put(SavedEntry(item, receipt))

    def save(self, data: Any, file_path: FilePath, **kwargs: Any) -> None:
        """Queue one value for the viewer; see :meth:`save_batch`. Text is passed over."""
        if not isinstance(data, str):
            self.save_batch([data], [file_path], **kwargs)

    def cleanup(self) -> None:
        """Deliver what waits, for a few seconds at most, and end all threads and sockets."""
        with self._lock:
            streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.close()

    cleanup_connections = cleanup

    def _shown(self, data_list: Any, file_paths: Any) -> list[tuple[Any, FilePath]]:
        pairs = list(zip(data_list, file_paths, strict=True))
        shown = [(value, path) for value, path in pairs if self.accepts_payload(value, path)]
        if len(shown) < len(pairs):
            skipped = [str(path) for value, path in pairs if not self.accepts_payload(value, path)]
            logger.info(
                "%s: Skipping %d non-streamable files: %s", self.VIEWER_TYPE, len(skipped), skipped
            )
        return shown

    def _stream(self, call: SaveCall) -> _ViewerStream:
        if self._pid != os.getpid():
            # Of the parent, whose threads a forked process does not have; held, so that nothing of
            # the parent is closed from here.
            self._inherited = self._streams
            self._begin()
        with self._lock:
            stream = self._streams.get(call.address)
            if stream is None:
                stream = _ViewerStream(self._publisher(call.address), Receipts())
                self._streams[call.address] = stream
            return stream

    def _publisher(self, address: str) -> Publisher:
        options, keys = self._options, config.get("security-file")
        publisher = Publisher(
            address,
            name=f"{GROUP}-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            security=options.security or (Security.load(keys) if keys else None),
            insecure=config.get("insecure") if options.insecure is None else options.insecure,
            transport=config.get("transport"),
            arena_bytes=config.get_bytes("arena"),
            queue_bytes=config.get_bytes("queue"),
            group=GROUP,
        )
        publisher.start()
        return publisher

    def _source_label(self, identity: Any) -> str:
        """Return the name of a producer, as OpenHCS writes it; two producers have two names."""
        names = importlib.import_module("polystore.streaming.identity")
        authority = names.StreamProducerDisplayNameAuthority
        label = str(authority.output_label(identity))
        parts = (*identity.route_parts(), str(identity.output_key))
        if self._sources.setdefault(label, parts) == parts:
            return label
        return f"{label} [{authority.disambiguation_label(identity)}]"


def register(
    name: str = "napari_stream",
    *,
    security: Security | None = None,
    insecure: bool | None = None,
    axes: Any = None,
    ports: Iterable[int] = (),
) -> type[NapariBackend]:
    """Put :class:`NapariBackend` into PolyStore's registry, in this process.

    Call it before ``create_storage_registry`` or a ``FileManager`` is made, in each process that
    saves.

    Parameters
    ----------
    name : str
        Key in the registry: ``"napari_stream"`` takes the place of PolyStore's own backend.
    security : Security, optional
        Keys of a viewer on another host; those of the setting ``security-file`` if not given.
    insecure : bool, optional
        Whether to connect without keys where none are found; the setting ``insecure`` if not given.
    axes : mapping of str to mode or Axis, optional
        Layouts that win over the display modes of the pipeline, as :class:`~dask_napari.Tap` takes
        them: ``dn.mosaic("well", plate=96)``.
    ports : iterable of int, optional
        Ports at which a viewer of dask-napari runs: OpenHCS opens no window of its own there.

    Returns
    -------
    type
        The backend's class.

    Examples
    --------
    >>> import dask_napari as dn
    >>> from dask_napari import openhcs
    >>> openhcs.register(axes=dn.mosaic("well", plate=96))  # doctest: +SKIP
    <class 'dask_napari.openhcs.NapariBackend'>
    """
    NapariBackend.defaults = BackendOptions(security, insecure, axes_by_name(axes))
    if name == "napari_stream":
        # PolyStore looks for its backends when somebody asks which there are, or has a cache of
        # their modules and names. It must find this one then: looking here, before OpenHCS has set
        # PolyStore up, would settle that.
        polystore.napari_stream.NapariStreamingBackend = NapariBackend
    dict.__setitem__(STORAGE_BACKENDS, name, NapariBackend)
    registry = importlib.import_module("polystore.backend_registry")
    getattr(registry, "_backend_instances", {}).pop(name, None)
    for port in ports:
        announce_viewer(port, NapariBackend.VIEWER_TYPE)
    return NapariBackend


def _deliver(backend: weakref.ref[NapariBackend]) -> None:
    """Deliver what waits in a backend, at the end of a process."""
    if (alive := backend()) is not None:
        alive.cleanup()


def _is_archive(path: FilePath) -> bool:
    return os.fspath(path).lower().endswith(".roi.zip")


def _are_rois(value: Any) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        return False
    return all(hasattr(value[0], name) for name in ("shapes", "metadata"))


def _items(
    value: Any, key: str, source: str, position: Mapping[str, Any], fields: SavedFields
) -> list[tuple[Kind, Item]] | Refusal:
    """Return the items of a value with their kinds, or why it cannot be shown."""
    try:
        if _are_rois(value) or (_is_archive(key) and not len(value)):
            return list(roi_items(value, source, position, key, fields))
        images = image_items(value, source, position, key, fields)
        return [("image", item) for item in images]
    except Exception as error:
        contain(error, foreign=True)  # images and regions are objects of others
        return Refusal.of(error).without_frames()
