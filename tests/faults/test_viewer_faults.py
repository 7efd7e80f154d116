"""Faults of viewers while a cluster streams to them: the computation must not notice."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from dask_napari.sink import NapariSink
from faults import leftovers
from faults.moments import FIGURES, LONG, MOMENTS, moments, nothing_left
from faults.stage import TAP, Stage
from faults.viewers import VIEWERS, Headless, free_address

COUNT, SECONDS = (600, 0.02) if LONG else (150, 0.02)
"""Tasks and their length; the long run compares makespans, so it lasts some three seconds."""

STOPPED = 30.0 if LONG else 3.0

pytestmark = [
    pytest.mark.timeout(180 + 120 * MOMENTS),
    pytest.mark.drops("worker-lost", "viewer-gone", "worker-paused", "worker-memory", "released"),
]


class Play:
    """One moment: a viewer, a computation, and what happens to the viewer meanwhile."""

    def __init__(self, stage: Stage, kind: type[Headless], rng: Random) -> None:
        self.stage = stage
        self.kind = kind
        self.moment = rng.uniform(0, COUNT * SECONDS / 4)
        self.viewer = kind(stage.folder)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """What happens in the block, happens at the moment; measures how long the tasks took."""
        self.futures = self.stage.start(COUNT, SECONDS)
        threading.Event().wait(self.moment)
        yield
        self.stage.check(self.futures)

    def again(self, address: str | None = None) -> None:
        """Start the viewer again."""
        self.viewer = self.kind(self.stage.folder, address or self.viewer.address)


def killed(play: Play) -> None:
    with play.computing():
        play.viewer.kill()
    play.again()


def closed(play: Play) -> None:
    with play.computing():
        play.viewer.close()
    play.again()


def stopped(play: Play) -> None:
    with play.computing():
        play.viewer.signal(signal.SIGSTOP)
        timer = threading.Timer(STOPPED, play.viewer.signal, [signal.SIGCONT])
        timer.start()
    timer.join()


def restarted(play: Play) -> None:
    with play.computing():
        play.viewer.kill()
        play.again()


def moved(play: Play) -> None:
    with play.computing():
        play.viewer.kill()
        play.again(free_address())
        play.stage.client.register_plugin(NapariSink(play.viewer.addresses, [TAP]))


FAULTS: dict[str, Callable[[Play], None]] = {
    "killed, started again later": killed,
    "closed by the user": closed,
    "stopped": stopped,
    "killed, started again at once": restarted,
    "started again elsewhere": moved,
}


@pytest.mark.parametrize("kind", VIEWERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_viewer(stage, fault, kind):
    if kind == "napari" and not LONG and fault not in ("stopped", "killed, started again at once"):
        pytest.skip("with its window in the long run only; it takes seconds to open")
    if kind == "recorder" and not LONG and fault != "killed, started again at once":
        pytest.skip("in the long run only; with the stream it does what the headless viewer does")
    name = f"viewer {fault} ({kind})"
    for rng in moments(name):
        play = Play(stage, VIEWERS[kind], rng)
        with stage.streaming(play.viewer):
            FAULTS[fault](play)
            stage.until_shown(play.viewer, COUNT)
            play.futures.clear()
        play.viewer.close()
        nothing_left(name, leftovers.none_within(stage.left))


def test_a_slow_viewer(stage):
    name = "viewer that takes one item a second"
    for _ in moments(name):
        viewer = Headless(stage.folder, every=1.0)
        with stage.streaming(viewer):
            futures = stage.start(COUNT, SECONDS)
            stage.check(futures)
            assert viewer.ledger().balanced
            viewer.control.request("pace", {"every": 0.0})
            stage.until_shown(viewer, COUNT)
            del futures
        viewer.close()
        nothing_left(name, leftovers.none_within(stage.left))


def test_two_viewers_of_which_one_is_killed(stage):
    name = "two viewers, one killed"
    for rng in moments(name):
        play, other = Play(stage, Headless, rng), Headless(stage.folder)
        with stage.streaming(play.viewer, other):
            with play.computing():
                play.viewer.kill()
            stage.until_shown(other, COUNT)
            play.again()
            stage.until_shown(play.viewer, COUNT)
            play.futures.clear()
        play.viewer.close()
        other.close()
        nothing_left(name, leftovers.none_within(stage.left))


# -- the makespan ------------------------------------------------------------------------------


def undisturbed(viewer: Headless) -> None:
    """Nothing happens."""


DISTURBANCES: dict[str, Callable[[Headless], None]] = {
    "not disturbed": undisturbed,  # what the host itself adds and takes away
    "killed": Headless.kill,
    "stopped": lambda viewer: viewer.signal(signal.SIGSTOP),
    "slow": lambda viewer: viewer.control.request("pace", {"every": 1.0}) and None,
}


def makespan(stage: Stage, moment: float, disturb: Callable[[Headless], None]) -> float:
    viewer = Headless(stage.folder)
    with stage.streaming(viewer):
        timer = threading.Timer(moment, disturb, [viewer])
        timer.start()
        seconds = stage.compute(COUNT, SECONDS)
        timer.join()
    if viewer.process.poll() is None:
        viewer.signal(signal.SIGCONT)
        viewer.close()
    return seconds


@pytest.mark.skipif(not LONG, reason="a short run on a shared machine measures nothing")
@pytest.mark.parametrize("fault", DISTURBANCES)
def test_makespan(stage, fault):
    name = f"makespan with a viewer {fault}"
    stage.compute(COUNT, 0.0)  # imports, and the scheduler's guesses
    for rng in moments(name):
        pair = [undisturbed, DISTURBANCES[fault]]
        order = rng.sample((0, 1), 2)  # what comes second finds warm caches, or more garbage
        moment = rng.uniform(0, 1)
        took = {which: makespan(stage, moment, pair[which]) for which in order}
        FIGURES[name].ratios.append(took[1] / took[0])
