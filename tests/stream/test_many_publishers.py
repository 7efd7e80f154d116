"""Two hundred publishers at one receiver: fair, exact, and in no more messages than it can take."""

from __future__ import annotations

import pytest

from benchmarks.load import load
from dask_napari.stream.send._pacing import RECEIVER_MESSAGES

SECONDS = 2.0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("transport", ["auto", "inline"])
def test_two_hundred_publishers_are_served_alike(transport):
    # 8000 items a second: more than the messages that are allowed, and with ease on two cores.
    found = load(4, 50, nbytes=4096, rate=40.0, seconds=SECONDS, transport=transport)
    assert found["ledger"] == "exact"
    assert not found["dropped"]
    assert found["most/least"] <= 2
    # What they have to say would make 6400 on two cores; a full batch goes out early.
    assert found["messages/s"] <= 1.3 * RECEIVER_MESSAGES
