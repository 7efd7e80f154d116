"""Checks of all settings: their names, their values, and who has set them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import dask.config
import yaml

from dask_napari import config

PREFIX: Final = "dask-napari"


def setting_faults() -> Iterator[str]:
    """Return what is wrong with each setting that cannot be used, and who has set it."""
    given = dask.config.get(PREFIX, {})
    if not isinstance(given, Mapping):
        yield f"{PREFIX}={given!r} is not a mapping of settings; set by {_source('')}"
        return
    for name, value in given.items():
        known = dask.config.canonical_name(name, _CHECKS)
        check = _CHECKS.get(known)
        try:
            if check is None:
                raise ValueError(f"{PREFIX}.{name} is unknown{_nearest(name)}")
            check(known, value)
        except (ValueError, TypeError) as error:
            yield f"{error}; set by {_source(name)}"


def _nearest(name: str) -> str:
    found = difflib.get_close_matches(name.replace("_", "-"), _CHECKS, 1)
    return f"; did you mean {found[0]}?" if found else ""


def _source(name: str) -> str:
    """Return who has set a setting: a variable of the environment, or else a file."""
    for variable in os.environ:
        if variable.startswith("DASK_") and _is_part(name, variable[len("DASK_") :].lower()):
            return variable
    for path in map(Path, dask.config.paths):
        files = [path] if path.is_file() else sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
        for file in reversed(files):
            if _has(file, name):
                return str(file)
    return "dask.config.set"


def _is_part(name: str, variable: str) -> bool:
    group, _, rest = variable.partition("__")
    wanted = name.replace("-", "_").lower()
    return group.replace("-", "_") == PREFIX.replace("-", "_") and rest.startswith(wanted)


def _has(file: Path, name: str) -> bool:
    try:
        found = (yaml.safe_load(file.read_text()) or {}).get(PREFIX)
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return False
    return found is not None and (not name or (isinstance(found, Mapping) and name in found))


def _text(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{PREFIX}.{name}={value!r} is not a text")


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{PREFIX}.{name}={value!r}: write true or false")


def _one_of(*allowed: str) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if value not in allowed:
            raise ValueError(f"{PREFIX}.{name}={value!r} is unknown; use {', '.join(allowed)}")

    return check


def _count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{PREFIX}.{name}={value!r} is not a number from 1 on")


def _taps(name: str, value: Any) -> None:
    from dask_napari.tap import Tap  # takes a moment, and most have none

    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise TypeError(
            f"{PREFIX}.{name}={value!r} is not a list of mappings with the parameters of Tap"
        )
    for entry in value:
        Tap(**entry)


def _memory(name: str, value: Any) -> None:
    config.get_memory(value)


_CHECKS: Final[dict[str, Callable[[str, Any], object]]] = {
    "address": _text,
    "taps": _taps,
    "security-file": _text,
    "insecure": _flag,
    "transport": _one_of("auto", "shared-memory", "inline"),
    "arena": config.bytes_of,
    "queue": config.bytes_of,
    "output-timeout": config.seconds_of,
    "memory": _memory,
    "viewer-timeout": config.seconds_of,
    "max-shapes": _count,
}
