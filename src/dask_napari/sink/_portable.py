"""Plugins and functions that can be unpickled on any worker, also where this package is missing."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from dask.base import normalize_token
from distributed import WorkerPlugin

from dask_napari.sink._opener import reduced


class PortablePlugin(WorkerPlugin):
    """Base of the worker plugins of this package.

    A worker ends if it cannot unpickle a plugin as it starts. Where that is so, another plugin
    takes its place, which does nothing; but if ``told``, the client is told why.
    """

    name: str
    told: bool = True

    def __reduce__(self) -> tuple[object, ...]:
        return reduced(self, "plugin" if self.told else "silent_plugin", self.name)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class PortableFunction:
    """A function that returns its first argument, or None, where it cannot be unpickled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__setstate__({"function": function})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<PortableFunction {self.function}>"

    def __reduce__(self) -> tuple[object, ...]:
        return self._reduced

    @functools.cached_property
    def _reduced(self) -> tuple[object, ...]:
        # Once: a scheduler pickles it with each task.
        return reduced(self, "function")

    def __dask_tokenize__(self) -> object:
        return "PortableFunction", normalize_token(self.function)

    def __getstate__(self) -> dict[str, Any]:
        return {"function": self.function}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.function: Callable[..., Any] = state["function"]
        functools.update_wrapper(self, self.function)  # Dask looks at the arguments
        # By this name Dask, like Tornado, knows that the result is to be awaited.
        self.__tornado_coroutine__ = inspect.iscoroutinefunction(self.function)
