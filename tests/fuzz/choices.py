"""Decisions read from bytes, so that Hypothesis and libFuzzer drive the same engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

_T = TypeVar("_T")

EDGES = (
    0,
    1,
    2,
    3,
    63,
    64,
    4096,
    65_536,
    2**31 - 1,
    2**31,
    2**53,
    2**63 - 1,
    2**64 - 1,
    -1,
    -(2**63),
)
FLOATS = (0.0, -1.0, 1.5, 1e308, math.inf, -math.inf, math.nan)
TEXTS = ("", "raw", "t", "data", "|u1", "<u2", "<f8", "<U2", "|b1", "O", "feature:a", "faces")
TEXTS += ("../../etc/passwd", "\x00", "é", "x" * 1025, "screenshot", "ledger", "known", "colormap")
PLAIN = (None, True, 1, 1.5, "viridis", b"x", [1, [2]], {"a": {"b": [None]}}, [0.0] * 300)


class Choices:
    """Decisions from bytes; when they are used up, always the first option."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._inside = False
        self.wild = False
        """Whether values may be of the wrong type, or beyond what their type allows."""

    @property
    def spent(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        if self.spent:
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def below(self, n: int) -> int:
        value = self.byte()
        return (value if n <= 256 else value << 8 | self.byte()) % n

    def pick(self, options: Sequence[_T]) -> _T:
        return options[self.below(len(options))]

    def seldom(self, one_in: int = 8) -> bool:
        return self.below(one_in) == one_in - 1

    def bytes(self, n: int) -> bytes:
        part = self._data[self._at : self._at + n]
        self._at += len(part)
        return part

    def mutated(self, data: bytes) -> bytes:
        """Some bytes changed, cut out or put in."""
        found = bytearray(data)
        for _ in range(1 + self.below(4)):
            at = self.below(len(found) + 1)
            match self.below(4):
                case 0 if at < len(found):
                    found[at] = self.byte()
                case 1:
                    del found[at:]
                case 2:
                    found[at:at] = self.bytes(self.below(16))
                case _:
                    del found[at : at + 1 + self.below(8)]
        return bytes(found)

    def value(self, kind: inspect.Type, depth: int = 0) -> Any:
        """A value of a type of the wire or, if wild, now and then of quite another one."""
        if self.wild and self.seldom(12):
            return self.pick(PLAIN)
        match kind:
            case inspect.IntType(ge=least):
                number = self.pick(EDGES) if self.seldom(3) else self.below(8)
                return number if least is None or self.wild else min(max(number, 0), 2**53)
            case inspect.FloatType():
                return self.pick(FLOATS)
            case inspect.StrType(max_length=most):
                text = self.pick(TEXTS)
                return text if self.wild else text[:most]
            case inspect.BytesType():
                return self.bytes(16)
            case inspect.BoolType():
                return self.seldom(2)
            case inspect.LiteralType(values=values):
                return self.pick(values)
            case inspect.UnionType(types=types):
                return self.value(self.pick(types), depth)
            case inspect.NoneType():
                return None
            case inspect.StructType(cls=cls, fields=fields, array_like=as_list):
                parts = {f.encode_name: self.value(f.type, depth + 1) for f in fields}
                tag = cls.__struct_config__.tag
                return list(parts.values()) if as_list else parts | ({"type": tag} if tag else {})
            case inspect.DataclassType(fields=fields):
                return {f.encode_name: self.value(f.type, depth + 1) for f in fields}
            case inspect.DictType(key_type=key, value_type=of):
                n = (
                    2000
                    if self.wild and not self._inside and self.seldom(16)
                    else self.below(3)
                    if depth < 6
                    else 0
                )
                pairs = [
                    (self.value(key, depth + 1), self.value(of, depth + 1))
                    for _ in range(min(n, 40))
                ]
                found = {k: v for k, v in pairs if isinstance(k, str | int | float)}
                return found | {f"n{i}": 1 for i in range(n - 40)}
            case inspect.ListType(item_type=of) | inspect.VarTupleType(item_type=of):
                if self.wild and not self._inside and self.seldom(16):
                    self._inside = True  # long lists of long lists would only test our patience
                    one = self.value(of, depth + 1)
                    self._inside = False
                    return [one] * 5000
                n = self.below(4) if depth < 6 else 0
                return [self.value(of, depth + 1) for _ in range(n)]
            case inspect.TupleType(item_types=types):
                return [self.value(t, depth + 1) for t in types]
            case _:
                return self.pick(PLAIN)


def packed(value: object) -> bytes:
    """Encode whatever msgpack can; numbers that it cannot become text."""
    try:
        return msgspec.msgpack.encode(value)
    except (OverflowError, TypeError, UnicodeEncodeError):
        return msgspec.msgpack.encode(repr(value)[:1000])
