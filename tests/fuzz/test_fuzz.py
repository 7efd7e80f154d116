"""A moment of `make fuzz`: whatever bytes peers send, the receiver serves the good one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fuzz.engine import SEEDS, play, private_segments

KNOWN = Path(__file__).with_name("found")
"""Programs that once broke something."""


@pytest.fixture(autouse=True)
def segments() -> Iterator[None]:
    with private_segments():
        yield


@given(st.binary(max_size=600))
@example(SEEDS[2])
@example(SEEDS[4])
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_program_of_messages_breaks_a_promise(data):
    play(data)


@pytest.mark.parametrize("path", sorted(KNOWN.glob("*.bin")), ids=lambda path: path.stem)
def test_what_was_found_once_stays_mended(path):
    play(path.read_bytes())
