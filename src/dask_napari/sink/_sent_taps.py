"""Taps on their way to workers, which may lack a module that a tap's function comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from dask_napari.model import Kind, Refusal, contain, described
from dask_napari.placement import ChunkGrid
from dask_napari.sink._opener import dumped, loaded
from dask_napari.tap import Tap


@dataclass(frozen=True, slots=True)
class SentTap:
    """A tap, pickled by itself, with as much of it as needs no code of the user's.

    ``select`` is None if outputs are selected by such code.
    """

    layer: str
    kind: Kind
    select: str | frozenset[Any] | ChunkGrid | None
    has_code: bool
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, tap: Tap) -> SentTap:
        """Return the form in which a tap is sent; raise TypeError if it cannot be sent."""
        plain = isinstance(tap.select, str | frozenset | ChunkGrid)
        code = not plain or not (tap.at is None or isinstance(tap.at, str | Mapping))
        layer = tap.spec().name
        try:
            data = dumped(tap)
        except Exception as error:
            raise TypeError(
                f"the tap on {layer!r} cannot be sent to the workers ({described(error)}); its "
                "functions must not hold files, locks or connections"
            ) from error
        return cls(layer, tap.kind, tap.select if plain else None, code, data)

    def opened(self) -> Tap:
        """Return the tap. Raises Refusal where it cannot be unpickled."""
        try:
            tap = loaded(self.data)
        except BaseException as error:  # importing a module may do anything
            contain(error, foreign=True)
            raise Refusal(
                "tap unusable",
                f"the tap cannot be used on this worker ({described(error)}); install its module "
                "there, or pass a function that is defined in the script",
                layer=self.layer,
            ) from error
        assert isinstance(tap, Tap)
        return tap


def sent(taps: Mapping[str, Tap]) -> dict[str, SentTap]:
    """Return named taps as they are sent; raise TypeError if one cannot be sent."""
    return {name: SentTap.of(tap) for name, tap in taps.items()}


def opened(taps: Mapping[str, SentTap]) -> tuple[dict[str, Tap], list[Refusal]]:
    """Return the taps that this worker can use, and refusals of the others.

    In place of another one comes, if possible, a tap whose outputs are all counted as dropped.
    """
    found: dict[str, Tap] = {}
    refusals: list[Refusal] = []
    for name, tap in taps.items():
        try:
            found[name] = tap.opened()
        except Refusal as refusal:
            refusals.append(refusal)
            if tap.select is not None:
                at = _refuse_all(refusal)
                found[name] = Tap(tap.select, kind=tap.kind, layer=tap.layer, at=at)
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
