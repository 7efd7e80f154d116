"""Items as commands to the plugin: which window, which plane, which ROIs."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from dask_napari.fiji._commands import command, plain_text
from dask_napari.fiji._plane_file import PlaneFile
from dask_napari.fiji._rois import encode_rois, rois_of
from dask_napari.fiji._stack_axes import StackAxis, StackFamily, StackRoles
from dask_napari.fiji._stack_pixels import RGB_DEPTH, StackPixels, imagej_pixels, plane_range
from dask_napari.model import (
    PIXEL_KINDS,
    AnyArray,
    Calibration,
    Coordinate,
    Item,
    LayerSpec,
    PlaceKey,
    Refusal,
)

WINDOWS_LIMIT: Final = 64
"""Windows that nobody can look at side by side; each further size or type needs one more."""

ROIS_LIMIT: Final = 20_000
"""ROIs in the manager, whose list is slow beyond."""

CLOSED: Final = "window-closed"
_COLORS: Final = {
    **{"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff", "cyan": "#00ffff"},
    **{"magenta": "#ff00ff", "yellow": "#ffff00", "orange": "#ff8000", "pink": "#ff80a0"},
    **{"gray": "#ffffff", "grey": "#ffffff", "white": "#ffffff"},
}
_ROI_COLORS: Final = ("#ffff00", "#00ffff", "#ff00ff", "#00ff00", "#ff8000", "#ff4040", "#80a0ff")
_UNITS: Final = {"micrometer": "µm", "um": "µm", "micron": "µm", "nanometer": "nm"}

PlaneKey = tuple[int, int, int]
"""Numbers of the channel, slice and frame of a plane, in the order of their arrival."""


@dataclass
class StackWindow:
    """One window of ImageJ."""

    number: int
    family: StackFamily
    channels: StackAxis
    pixels: StackPixels
    shape: tuple[int, int]
    planes: dict[PlaneKey, int] = field(default_factory=dict)
    """Offset of each plane in the file, in bytes."""
    shown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Items of each publisher and layer that the user would lose with the window."""
    closed: bool = False


@dataclass
class Filled:
    """Planes or ROIs that an item fills, for the next item of its place."""

    window: StackWindow | None = None
    planes: set[PlaneKey] = field(default_factory=set)
    rois: int = 0
    count: int = 0


class Stacks:
    """Windows of ImageJ that show the items of a stream; returns what to tell the plugin."""

    def __init__(self, file: PlaneFile) -> None:
        self.file = file
        self.windows: dict[int, StackWindow] = {}
        self.notes: list[tuple[str, str]] = []
        """Layers and what is shown of them less exactly than it was sent; the reader clears it."""
        self.old: list[tuple[int, int]] = []
        """Ranges of the file that nobody reads once the commands so far have been carried out."""
        self._by_key: dict[object, StackWindow] = {}
        self._families: dict[object, StackFamily] = {}
        self._filled: dict[tuple[int, PlaceKey], Filled] = {}
        self._axes = 0
        self._roi_count = 0
        self._roi_sets = 0

    def __repr__(self) -> str:
        return f"<Stacks: {len(self.windows)} windows, {self._roi_count} ROIs>"

    def put(self, item: Item, spec: LayerSpec | None) -> tuple[list[str], StackWindow | None]:
        """Return the commands that show an item, and its window; none has ROIs of its own.

        Raises Refusal if ImageJ cannot show it.
        """
        if item.kind in PIXEL_KINDS:
            return self._put_pixels(item, spec)
        if item.kind in ("points", "shapes"):
            return self._put_rois(item, spec), None
        raise Refusal(f"no {item.kind} in ImageJ", f"ImageJ has no layers of {item.kind}")

    def _family(self, item: Item, roles: StackRoles) -> StackFamily:
        key = item.run, frozenset(roles.frames)
        if key not in self._families:
            self._axes += 2
            self._families[key] = StackFamily(roles.frames, self._axes - 1, self._axes)
        return self._families[key]

    # -- images and labels -------------------------------------------------------------------

    def _put_pixels(self, item: Item, spec: LayerSpec | None) -> tuple[list[str], StackWindow]:
        pixels = imagej_pixels(item)
        dimensions = pixels.data.ndim
        roles = StackRoles.of(item, spec, dimensions)
        sizes = item.array_shape or (() if item.origin else pixels.data.shape)
        if len(sizes) < 2 or not all(sizes[-2:]):
            raise Refusal(
                "chunk of an array of unknown size",
                "a window of ImageJ has one size; call compute_chunk_sizes() on the dask array",
            )
        shape = (int(sizes[-2]), int(sizes[-1]))
        window, told = self._window(item, spec, roles, pixels, shape)
        filled = Filled(window)
        for index in np.ndindex(*pixels.data.shape[:-2]):
            where = tuple(map(sum, zip(index, item.origin, strict=False))) or index
            at = roles.place(item, where, window.family.frames)
            key, grown = self._number(window, roles, at, spec)
            told += grown
            plane = pixels.data[index]
            offset = self._write(window, key, plane, item.origin[-2:])
            filled.planes.add(key)
            limits = (np.nan, np.nan) if pixels.depth == RGB_DEPTH else plane_range(plane)
            label = plain_text(_label(item, dict(zip(roles.leading, where, strict=True))))
            told.append(command("plane", window.number, *key, offset, *limits, label))
        return told + self._replace(item, filled), window

    def _window(
        self,
        item: Item,
        spec: LayerSpec | None,
        roles: StackRoles,
        pixels: StackPixels,
        shape: tuple[int, int],
    ) -> tuple[StackWindow, list[str]]:
        """Return the window of an item and the commands that open it, if it is a new one."""
        family = self._family(item, roles)
        layer = item.run, *item.stream
        key = layer, family.frames, pixels.depth, shape, bool(roles.channel), bool(roles.slice)
        window = self._by_key.get(key)
        if window is not None:
            if window.closed:
                raise Refusal(CLOSED, "its window was closed in ImageJ")
            self._note(item, pixels.note)
            return window, []
        if len(self._by_key) >= WINDOWS_LIMIT:
            raise Refusal("too many windows", f"{WINDOWS_LIMIT} sizes, types and layers are open")
        self._note(item, pixels.note)
        self._axes += 1
        number = len(self._by_key) + 1
        window = StackWindow(number, family, StackAxis(self._axes), pixels, shape)
        title = item.name if item.run == 1 else f"{item.name} (run {item.run})"
        if any(other[0] == layer for other in self._by_key):  # type: ignore[index]
            title += f" {shape[1]}x{shape[0]} {pixels.type_name}"
        self._by_key[key] = self.windows[number] = window
        options = {**(spec.options if spec else {}), **item.options}
        low, high = _contrast(item, pixels, options)
        table = "labels" if item.kind == "labels" else _color(options.get("colormap"))
        known, sizes = item.calibration, [1.0, 1.0, 1.0]
        if known.scale:
            sizes[3 - min(3, len(known.scale)) :] = map(abs, known.scale[-3:])
        unit = known.units[-1] if known.units else "pixel"
        told = [
            command(
                *("window", number, title, pixels.depth, shape[1], shape[0]),
                window.channels.number if roles.channel else -1,
                family.slices.number if roles.slice else -1,
                *(family.times.number, table, low, high, *sizes, _UNITS.get(unit, unit)),
                _information(item, roles, family, pixels),
            )
        ]
        if family.calibration is None and known.scale:
            family.calibration = known
            for early in family.early:
                told += self._put_rois(early, None)
            family.early = []
        return window, told

    def _note(self, item: Item, note: str) -> None:
        if note:
            self.notes.append((item.layer, note))

    def _number(
        self,
        window: StackWindow,
        roles: StackRoles,
        at: tuple[Coordinate, Coordinate, tuple[Coordinate, ...]],
        spec: LayerSpec | None,
    ) -> tuple[PlaneKey, list[str]]:
        """Return the key of a plane, and the commands that make its coordinates known."""
        told: list[str] = []
        channel, index = window.channels.add((at[0],))
        if index is not None and roles.channel:
            told.append(command("axis", window.channels.number, index))
            layout = spec.layouts.get(roles.channel) if spec else None
            color = layout.colors.get(str(at[0])) if layout else None
            if layout and color is None:
                color = layout.colors.get(layout.names.get(str(at[0]), ""))
            if found := _color(color):
                told.append(command("channel", window.number, channel, found))
        numbers = [channel]
        for axis, coordinates in (window.family.slices, (at[1],)), (window.family.times, at[2]):
            if axis is window.family.slices and not roles.slice:
                numbers.append(0)
                continue
            number, index = axis.add(coordinates)
            numbers.append(number)
            if index is not None:
                told.append(command("axis", axis.number, index))
        return (numbers[0], numbers[1], numbers[2]), told

    def _write(
        self, window: StackWindow, key: PlaneKey, plane: AnyArray, origin: tuple[int, ...]
    ) -> int:
        """Write a plane, or a part of one; return where it begins in the file."""
        offset = window.planes.get(key)
        if not origin:
            new = self.file.write(plane)
            if offset is not None:
                self.old.append((offset, plane.nbytes))
        else:
            all_of_it = np.zeros(window.shape, plane.dtype)
            if offset is not None:
                self.file.read(offset, all_of_it)
            y, x = origin
            all_of_it[y : y + plane.shape[0], x : x + plane.shape[1]] = plane
            new = self.file.write(all_of_it) if offset is None else offset
            if offset is not None:
                self.file.overwrite(offset, all_of_it)
        window.planes[key] = new
        return new

    def _replace(self, item: Item, filled: Filled) -> list[str]:
        """Remember what an item fills; return commands that remove what its place had besides."""
        place = item.run, item.place
        before, self._filled[place] = self._filled.get(place), filled
        if before is None or before.window is None or item.origin:
            return []
        told = []
        other = before.window is not filled.window
        for key in before.planes if other else before.planes - filled.planes:
            offset = before.window.planes.pop(key, None)
            if offset is not None:
                nbytes = int(np.prod(before.window.shape)) * before.window.pixels.data.itemsize
                self.old.append((offset, nbytes))
                told.append(command("gone", before.window.number, *key))
        return told

    # -- points and shapes -------------------------------------------------------------------

    def _put_rois(self, item: Item, spec: LayerSpec | None) -> list[str]:
        roles = StackRoles.of(item, spec, item.data.shape[-1])
        family = self._family(item, roles)
        scale, translate = _to_pixels(item.calibration, family.calibration)
        planes, left_out = rois_of(item, scale, translate)
        if left_out:
            self._note(item, f"{left_out} shapes that lie in several planes are left out")
        count = sum(map(len, planes.values()))
        before = self._filled.get((item.run, item.place), Filled())
        if self._roi_count - before.count + count > ROIS_LIMIT:
            raise Refusal("too many ROIs", f"ImageJ's ROI manager is slow beyond {ROIS_LIMIT}")
        number = before.rois
        if not number:
            number = self._roi_sets = self._roi_sets + 1
        name = plain_text(" ".join([item.name, *map(str, item.position.values())]), 60)
        color = _ROI_COLORS[zlib.crc32(item.name.encode()) % len(_ROI_COLORS)]
        told = [command("rois", number, name, color)]
        for index, rois in planes.items():
            channel, at_slice, frame = roles.place(item, index, family.frames)
            data = encode_rois(rois)
            offset = self.file.write(data)
            self.old.append((offset, data.nbytes))
            channels = self._channels(family, channel) if roles.channel else None
            where: list[int] = []
            for axis, at in (channels, (channel,)), (family.slices, (at_slice,)):
                if axis is None or (axis is family.slices and not roles.slice):
                    where += -1, 0
                else:
                    where += self._numbered(axis, at, told)
            where += self._numbered(family.times, frame, told)
            told.append(command("group", *where, offset, data.nbytes))
        self._roi_count += count - before.count
        if family.calibration is None:
            family.early = [each for each in family.early if each.place != item.place]
            family.early.append(item)
        self._replace(item, Filled(rois=number, count=count))
        return told

    def _numbered(
        self, axis: StackAxis, at: tuple[Coordinate, ...], told: list[str]
    ) -> tuple[int, int]:
        number, index = axis.add(at)
        if index is not None:
            told.append(command("axis", axis.number, index))
        return axis.number, number

    def _channels(self, family: StackFamily, channel: Coordinate) -> StackAxis | None:
        """Return the channels of the first window that has one; ROIs are on all without one."""
        found = (w.channels for w in self.windows.values() if w.family is family)
        return next((axis for axis in found if (channel,) in axis), None)

    def close_window(self, number: int) -> Mapping[tuple[str, str], int]:
        """Remember that the user closed a window; return the items that were shown there."""
        window = self.windows[number]
        window.closed = True
        shown, window.shown = window.shown, Counter()
        return shown


def _label(item: Item, leading: Mapping[str, int]) -> str:
    at = {**item.at, **leading}
    where = " ".join(f"{axis}={value}" for axis, value in at.items())
    return f"{where} | {item.provenance.key}" if item.provenance.key else where


def _information(item: Item, roles: StackRoles, family: StackFamily, pixels: StackPixels) -> str:
    """Return what Image > Show Info... tells of a window, a line for each entry."""
    lines = [f"dask-napari layer: {item.layer}", f"sent as: {item.data.dtype}"]
    lines += [f"channels: {roles.channel or 'none'}", f"slices: {roles.slice or 'none'}"]
    lines += [f"frames: {', '.join(family.frames) or 'none'}"]
    return plain_text("; ".join([*lines, *filter(None, [pixels.note])]))


def _color(name: object) -> str:
    """Return a colour of napari as `#rrggbb`; empty if ImageJ has no table of that name.

    >>> _color("green"), _color("#0f0"), _color("viridis")
    ('#00ff00', '', '')
    """
    if isinstance(name, str) and len(name) == 7 and name.startswith("#"):
        return name if set(name[1:].casefold()) <= set("0123456789abcdef") else ""
    return _COLORS.get(name, "") if isinstance(name, str) else ""


def _contrast(
    item: Item, pixels: StackPixels, options: Mapping[str, object]
) -> tuple[float, float]:
    """Return limits of contrast that stay; NaN where they follow the planes.

    ImageJ's own habit: 8 bits have all their range, and labels a colour for each number to 255.
    """
    limits = options.get("contrast_limits")
    if isinstance(limits, list | tuple) and len(limits) == 2 and item.kind == "image":
        return float(limits[0]), float(limits[1])
    return (0.0, 255.0) if pixels.depth == 8 or item.kind == "labels" else (np.nan, np.nan)


def _to_pixels(own: Calibration, image: Calibration | None) -> tuple[AnyArray, AnyArray]:
    """Return factor and offset from coordinates to pixels of the image on which they lie."""
    if image is None or not own.scale:
        return np.ones(2), np.zeros(2)
    scale = np.array(own.scale[-2:]) / image.scale[-2:]
    moved = np.array(own.translate[-2:] or (0.0, 0.0)) - (image.translate[-2:] or (0.0, 0.0))
    return scale, moved / image.scale[-2:]
