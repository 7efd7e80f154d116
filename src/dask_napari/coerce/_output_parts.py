"""Parts of outputs: the value that a tap shows of a tuple, a dict or an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import BuiltinMethodType, MethodType
from typing import Any, Final

from dask_napari.model import Refusal

ValueOf = int | str | Callable[[Any], Any]
"""Index or key of the part of an output, or the name of its attribute, or a function of it."""

_NAMES_SHOWN: Final = 8
"""Names of parts that a message lists."""


def part_of(output: Any, value: ValueOf | None) -> Any:
    """Return the part of an output that ``value=`` of a tap chooses; without it the output itself.

    A function and the output are code of others, which may raise anything and take any time.

    Raises
    ------
    Refusal
        If the output has no such part; the message names its parts.

    Examples
    --------
    >>> part_of(("masks", "flows", "styles"), -1), part_of({"masks": 3}, "masks")
    ('styles', 3)
    >>> part_of(("masks", "flows"), lambda output: output[0].upper())
    'MASKS'
    """
    if value is None:
        return output
    if callable(value):
        try:
            return value(output)
        except Exception as error:
            raise _missing(value, f"failed with {type(error).__name__}: {error}", output) from error
    try:
        # A mapping is asked first: one with defaults would make the part, in the task's own output.
        if not isinstance(output, Mapping) or value in output:
            return output[value]
    except Exception:
        pass
    found = getattr(output, value, None) if isinstance(value, str) else None
    if found is None or isinstance(found, MethodType | BuiltinMethodType):
        raise _missing(value, "is no part of it", output)
    return found


def _missing(value: ValueOf, what: str, output: Any) -> Refusal:
    shown = getattr(value, "__name__", "function") if callable(value) else repr(value)
    return Refusal(
        "no such part", f"value={shown} {what}; the task returned {described_parts(output)}"
    )


def described_parts(output: Any) -> str:
    """Return what an output consists of, for messages.

    >>> described_parts((1, "a")), described_parts({"masks": 0})
    ('a tuple of 2 parts: int, str', "a dict with keys 'masks'")
    """
    name = type(output).__name__
    if isinstance(output, tuple | list):
        kinds = ", ".join(type(part).__name__ for part in output[:_NAMES_SHOWN])
        return f"a {name} of {len(output)} parts: {_cut(kinds, len(output))}"
    if isinstance(output, Mapping):
        keys = [repr(key) for _, key in zip(range(_NAMES_SHOWN), output, strict=False)]
        return f"a {name} with keys {_cut(', '.join(keys), len(output))}"
    fields = [field for field in getattr(output, "__dict__", {}) if not field.startswith("_")]
    if not fields:
        return f"a {name}"
    return f"a {name} with {_cut(', '.join(fields[:_NAMES_SHOWN]), len(fields))}"


def _cut(names: str, count: int) -> str:
    return names + (" ..." if count > _NAMES_SHOWN else "")
