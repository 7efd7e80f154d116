"""Two hundred publishers at one receiver: fair, exact, and in no more messages than it can take."""

from __future__ import annotations

import pytest

from benchmarks.load import load
from dask_napari.stream.send._pacing import RECEIVER_MESSAGES

RATE = 40.0
SECONDS = 1.0
MOST_TO_LEAST = 2


@pytest.mark.timeout(180)
@pytest.mark.parametrize("transport", ["auto", "inline"])
def test_two_hundred_publishers_are_served_alike(transport):
    # 8000 items a second: more than the messages that are allowed, and with ease on two cores.
    # Where others use the cores too, it takes longer until each publisher has had its turn.
    found = load(4, 50, 4096, RATE, SECONDS, transport, ratio=MOST_TO_LEAST)
    assert found["ledger"] == "exact"
    assert not found["dropped"]
    assert found["most/least"] <= MOST_TO_LEAST
    # What they have to say would make 6400 on two cores; a full batch goes out early.
    assert found["messages/s"] <= 1.3 * RECEIVER_MESSAGES
