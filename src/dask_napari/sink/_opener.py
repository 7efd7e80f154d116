"""Objects that can be unpickled on any worker, also where this package is missing."""

from __future__ import annotations

from typing import Any, Final

import cloudpickle

from dask_napari._version import __version__

OPENER: Final = """
import pickle

def opened(data, stand_in, name, version):
    try:
        kind, state = pickle.loads(data)
        found = kind.__new__(kind)
        found.__setstate__(state)
        return found
    except BaseException as error:
        return globals()[stand_in](name, version, error)

def function(name, version, error):
    class Function:
        def __call__(self, *args, **kwargs):
            return args[0] if args else None
        def __reduce__(self):
            return eval, (call, {"opener": opener, "call": call, "arguments": arguments})
    return Function()

def plugin(name, version, error):
    from distributed import WorkerPlugin
    cause = type(error).__name__
    text = f"nothing is streamed from here ({cause}: {error}); install dask-napari {version}"
    def setup(worker):
        event = {"worker": worker.address, "reason": f"no sink: {cause}", "text": text}
        worker.log_event(name, event)
        raise ImportError(f"{worker.address}: {text}")
    found = WorkerPlugin()
    found.name, found.setup = name, setup
    return found

def silent_plugin(name, version, error):
    from distributed import WorkerPlugin
    found = WorkerPlugin()
    found.name = name
    return found
"""
"""Source that opens a pickle within the pickle, or returns a stand-in for its content.

As text, since a worker may have another Python, for which compiled code is of no use."""

COMPILED: Final = {OPENER: compile(OPENER, "<opener>", "exec")}
"""The source, compiled, for where this package is: 3 us instead of 400."""

CALL: Final = (
    f"(exec(getattr(__import__('sys').modules.get({__name__!r}), 'COMPILED', {{}})"
    ".get(opener, opener)), opened)[1](*arguments)"
)


def dumped(value: object) -> bytes:
    """Return a pickled value, with its functions, for the way by Dask's own channel alone."""
    data: bytes = cloudpickle.dumps(value)
    return data


def loaded(data: bytes) -> Any:
    """Return what :func:`dumped` has pickled."""
    return cloudpickle.loads(data)


def reduced(value: Any, stand_in: str, name: str = "") -> tuple[object, ...]:
    """Return the result of ``__reduce__`` for a value with a state and ``__setstate__``.

    Where the value cannot be unpickled, ``stand_in`` takes its place: ``"function"`` returns its
    first argument and pickles as the value does, ``"plugin"`` tells the client in its setup and
    raises ImportError there, which Dask logs, and ``"silent_plugin"`` does nothing.
    """
    data = dumped((type(value), value.__getstate__()))
    arguments = (data, stand_in, name, __version__)
    return eval, (CALL, {"opener": OPENER, "call": CALL, "arguments": arguments})
