"""Taps on their way to workers, which may lack a module that a tap's function comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from dask_napari.model import Kind, Refusal, contain, described
from dask_napari.placement import ChunkGrid
from dask_napari.sink._opener import dumped, loaded
from dask_napari.tap import Tap


class UncountedTap(Refusal):
    """Refusal of a tap that leaves it unknown which outputs it would choose on this worker."""


@dataclass(frozen=True, slots=True)
class SentTap:
    """A tap, pickled by itself, and its selector, which a worker may be able to use alone."""

    layer: str
    kind: Kind
    has_code: bool
    selector: bytes = field(repr=False)
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, tap: Tap) -> SentTap:
        """Return the form in which a tap is sent; raise TypeError if it cannot be sent."""
        plain = isinstance(tap.select, str | frozenset | ChunkGrid)
        code = not plain or callable(tap.value)
        code = code or not (tap.at is None or isinstance(tap.at, str | Mapping))
        layer = tap.spec().name
        try:
            selector, data = dumped(tap.select), dumped(tap)
        except Exception as error:
            raise TypeError(
                f"the tap on {layer!r} cannot be sent to the workers ({described(error)}); its "
                "functions must not hold files, locks or connections"
            ) from error
        return cls(layer, tap.kind, code, selector, data)

    def opened(self) -> Tap:
        """Return the tap. Raises Refusal where it cannot be unpickled."""
        tap = self._loaded(self.data)
        assert isinstance(tap, Tap)
        return tap

    def refusing(self, refusal: Refusal) -> Tap:
        """Return a tap whose outputs are all refused. Raises Refusal where nobody knows which."""
        return Tap(
            self._loaded(self.selector), kind=self.kind, layer=self.layer, at=_refuse_all(refusal)
        )

    def _loaded(self, data: bytes) -> Any:
        try:
            return loaded(data)
        except BaseException as error:  # importing a module may do anything
            contain(error, foreign=True)
            raise Refusal(
                "tap unusable",
                f"the tap cannot be used on this worker ({described(error)}); install its module "
                "there, or pass a function that is defined in the script",
                layer=self.layer,
            ) from error


def sent(taps: Mapping[str, Tap]) -> dict[str, SentTap]:
    """Return named taps as they are sent; raise TypeError if one cannot be sent."""
    return {name: SentTap.of(tap) for name, tap in taps.items()}


def opened(taps: Mapping[str, SentTap]) -> tuple[dict[str, Tap], list[Refusal]]:
    """Return the taps that this worker can use, and refusals of the others.

    In place of another one comes a tap whose outputs are all counted as dropped. If its selector
    cannot be used either, the refusal is an :class:`UncountedTap`.
    """
    found: dict[str, Tap] = {}
    refusals: list[Refusal] = []
    for name, tap in taps.items():
        try:
            found[name] = tap.opened()
        except Refusal as refusal:
            try:
                found[name] = tap.refusing(refusal)
            except Refusal:
                refusal = UncountedTap(refusal.reason, refusal.detail, layer=tap.layer)
            refusals.append(refusal)
    return found, refusals


def _refuse_all(refusal: Refusal) -> Any:
    def place(*_: object) -> NoReturn:
        raise Refusal(refusal.reason, refusal.detail)

    return place


def unusable(taps: Iterable[SentTap]) -> list[str]:
    """Return why some of the taps cannot be used in this process, one text each."""
    texts = []
    for tap in taps:
        try:
            tap.opened()
        except Refusal as refusal:
            texts.append(f"layer {tap.layer!r}: {refusal}")
    return texts
