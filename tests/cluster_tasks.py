"""Task functions of the cluster tests; importable on the workers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Event


def frame(n: int, size: int = 64) -> np.ndarray:
    """A picture that tells which task made it."""
    return np.full((size, size), n % 60_000, np.uint16)


def frame_of(data: object, n: int) -> np.ndarray:
    """A picture of something large, or of a file."""
    return frame(n)


class CloudPath:
    """A path that fetches its file where its name is asked for, from a cloud that hangs."""

    def __fspath__(self) -> str:
        time.sleep(3600)
        return "frame_0.tif"


SLOW_CALLS: list[object] = []
"""Keys that this process has asked :func:`slow_predicate` about."""


def slow_predicate(key: object) -> bool:
    """Choose nothing, in 5 ms."""
    SLOW_CALLS.append(key)
    time.sleep(0.005)
    return False


def crop(n: int, wrapped: bool = False) -> Any:
    """A little of a large picture, as a view of it; in a wrapper if told so."""
    view = np.full((30, 1024, 1024), n, np.uint8)[0, :64, :64]
    return (view, {"name": "crop"}, "image") if wrapped else view


class Counter:
    """An actor that counts."""

    n = 0


def slow_frame(n: int, size: int = 64, seconds: float = 0.01) -> np.ndarray:
    """The same after a while."""
    time.sleep(seconds)
    return frame(n, size)


def gated_frame(n: int, gate: str, free: int) -> np.ndarray:
    """A picture; from the one numbered ``free`` on it waits until the gate, an event, is open."""
    if n >= free:
        Event(gate).wait(60)
    return frame(n)


def fail(n: int, text: str = "camera timeout") -> np.ndarray:
    """No picture, but an error."""
    raise RuntimeError(f"{text} {n}")


def gated_read(path: str, gate: str, mended: str = "") -> np.ndarray:
    """A picture of a file once the gate, an event, is open; or an error until it is mended."""
    Event(gate).wait(60)
    if mended and not Event(mended).is_set():
        raise OSError(f"cannot read {path}")
    return read(path)


def read(path: str) -> np.ndarray:
    """A picture made of a file's name, as reading it would."""
    return frame(sum(path.encode()))


def gated_block(gate: str, block_info: Any = None) -> np.ndarray:
    """A chunk of an array, once the gate, an event, is open."""
    Event(gate).wait(60)
    return np.zeros(block_info[None]["chunk-shape"], np.uint8)


def fail_without(path: Path) -> np.ndarray:
    """A picture, but an error as long as a file is not there."""
    if not path.exists():
        raise FileNotFoundError(f"no {path}")
    return frame(2)


def segment(image: np.ndarray) -> np.ndarray:
    """Labels of a picture."""
    return (image > 0).astype(np.int64)


def measured(n: int) -> list:
    """Outlines of the cells of a picture, as shapes."""
    from skimage.measure import label, regionprops

    cells = np.zeros((20, 20), int)
    for k in range(n):
        cells[4 * k + 1 : 4 * k + 3, 2:9] = 1
    return regionprops(label(cells))


def segmented(number):
    """Return masks, flows and styles, as segmenters do."""
    return np.full((4, 5), number), [np.zeros((4, 5, 3))], np.zeros(256)


def layers(n: int) -> list:
    """Layers of several kinds, one of which cannot be shown, at a position of their own."""
    at = {"metadata": {"at": {"t": n}}}
    return [
        (frame(n), {"name": "raw", **at}, "image"),
        (np.ones((8, 8), int), {"name": "cells", **at}, "labels"),
        (np.ones((n, 2)), {"name": "spots", "features": {"area": [1.5] * n}, **at}, "points"),
        ("nothing", {"name": "bad", **at}, "image"),
    ]


def text(n: int) -> str:
    """Something that no viewer can show."""
    return f"not a picture {n}"


def hog_once(flag: str) -> str:
    """Take memory until the nanny ends the worker, the first time that it is run."""
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "again"
    held = []
    while True:
        held.append(np.ones(4 << 20, np.uint8))
        time.sleep(0.005)


def kill_self_once(n: int, flag: str) -> np.ndarray:
    """Kill the worker the first time that it is run."""
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return frame(n)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


_taken: list[np.ndarray] = []


def take_memory(nbytes: int) -> None:
    """Make the process of the worker so many bytes larger; 0 gives all of them back."""
    _taken.clear()
    if nbytes:
        _taken.append(np.ones(nbytes, np.uint8))


class Unreadable:
    """An output behind a mount that is dead: whoever reads it waits for ever."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        time.sleep(3600)
        raise AssertionError


class Misleading:
    """An output that tells sizes which are none."""

    shape = (float("nan"), "x", -3)
    dtype = np.dtype("u1")
    nbytes = float("nan")

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return np.full((4, 4), 5, np.uint8)


def unreadable(n: int) -> Unreadable:
    """An output that hangs when it is read."""
    return Unreadable()


def misleading(n: int) -> Misleading:
    """An output that can be read, whatever it tells of itself."""
    return Misleading()
