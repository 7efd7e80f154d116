"""Calls of ``save_batch`` in the forms of PolyStore, read into one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dask_napari.model import Coordinate
from dask_napari.openhcs._component_axes import ComponentAxes, component_axes, plain_text
from dask_napari.tap import Axis

FilePath = str | Path

UNKNOWN_SOURCE = "unknown_source"
"""Name that PolyStore up to 0.1.9 gives to what comes without a source."""


@dataclass(frozen=True, slots=True)
class SaveCall:
    """One call of ``save_batch``: where the items go, and how they are shown.

    ``components`` returns the values of the components of an item, and ``source`` the name of its
    producer, both by path and number in the batch; ``fields`` hold for all items.
    """

    host: str
    port: int
    axes: ComponentAxes
    components: Callable[[FilePath, int], Mapping[str, object]]
    source: Callable[[int], str]
    fields: Mapping[str, Any]

    @property
    def address(self) -> str:
        """Address of the viewer."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    def position(self, path: FilePath, number: int) -> dict[str, Coordinate]:
        """Return the position of an item."""
        return self.axes.position(self.components(path, number))


def save_call(
    kwargs: Mapping[str, Any], layouts: Mapping[str, Axis], source_label: Callable[[Any], str]
) -> SaveCall:
    """Read the keyword arguments of ``save_batch``.

    Parameters
    ----------
    kwargs : mapping
        ``stream_request`` alone (PolyStore from 0.1.10), or ``port``, ``display_config``,
        ``microscope_handler`` and the others of earlier releases.
    layouts : mapping of str to Axis
        Layouts that win over the modes of the pipeline.
    source_label : callable
        Returns the name of a producer of a ``stream_request``.

    Raises
    ------
    ValueError
        If the arguments are those of neither form.
    """
    if "stream_request" in kwargs:
        if set(kwargs) != {"stream_request"}:
            others = ", ".join(sorted(set(kwargs) - {"stream_request"}))
            raise ValueError(f"stream_request says all; leave {others} out")
        return _of_request(kwargs["stream_request"], layouts, source_label)
    missing = [
        name for name in ("port", "display_config", "microscope_handler") if name not in kwargs
    ]
    if missing:
        raise ValueError(
            f"save_batch needs stream_request, or port, display_config and microscope_handler; "
            f"{', '.join(missing)} is missing"
        )
    return _of_keywords(kwargs, layouts)


def _of_request(
    request: Any, layouts: Mapping[str, Axis], source_label: Callable[[Any], str]
) -> SaveCall:
    source = request.source
    said = dict(request.message_extra or {}).get("component_names_metadata")

    def names_of(component: str) -> object:
        if isinstance(said, Mapping):
            return said.get(component)
        identity = source.identity
        if identity.plate_path is None:
            return None
        handler = identity.microscope_handler.metadata_handler
        return handler.get_component_values(identity.plate_path, component)

    return SaveCall(
        _reachable(request.host),
        int(request.port),
        component_axes(request.display_config, names_of, layouts),
        source.metadata.component_metadata_for_item,
        lambda number: source_label(request.producer.identity_for_item(number)),
        {plain_text(name): value for name, value in source.item_fields.items()},
    )


def _of_keywords(kwargs: Mapping[str, Any], layouts: Mapping[str, Axis]) -> SaveCall:
    handler, plate = kwargs["microscope_handler"], kwargs.get("plate_path")
    source = str(kwargs.get("source") or UNKNOWN_SOURCE)

    def names_of(component: str) -> object:
        reader = getattr(handler.metadata_handler, f"get_{component}_values", None)
        return reader(plate) if plate and callable(reader) else None

    def components(path: FilePath, number: int) -> Mapping[str, object]:
        name = os.path.basename(os.fspath(path))
        found = handler.parser.parse_filename(name)
        if callable(wire := getattr(found, "component_wire_mapping", None)):
            found = wire()
        if not isinstance(found, Mapping):
            raise ValueError(f"{type(handler.parser).__name__} cannot read the file name {name!r}")
        return found

    axes = component_axes(kwargs["display_config"], names_of, layouts)
    # The source is the layer's name, whatever its mode.
    modes = {axis: mode for axis, mode in axes.modes.items() if axis != "source"}
    return SaveCall(
        _reachable(kwargs.get("host") or "localhost"),
        int(kwargs["port"]),
        ComponentAxes(modes, axes.names, axes.colormap, axes.sizes, axes.layouts),
        components,
        lambda number: source,
        {},
    )


def _reachable(host: str) -> str:
    """Return the host to connect to: theirs may be the one at which a viewer listens."""
    return "127.0.0.1" if host in ("", "*", "localhost", "0.0.0.0") else host


def check_lengths(values: Sequence[object], paths: Sequence[object]) -> None:
    """Refuse values and paths that are not as many."""
    if len(values) != len(paths):
        raise ValueError(
            f"data_list and file_paths must have the same length: {len(values)} values and "
            f"{len(paths)} paths"
        )
