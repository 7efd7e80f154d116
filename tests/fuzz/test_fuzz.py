"""A moment of `make fuzz`: whatever bytes peers send, the receiver serves the good one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from example_counts import examples
from fuzz.engine import SEEDS, play, private_segments


@pytest.fixture(autouse=True)
def segments() -> Iterator[None]:
    with private_segments():
        yield


@pytest.mark.drops("")
@given(st.binary(max_size=600))
@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_program_of_messages_breaks_a_promise(data):
    play(data)


@pytest.mark.drops("")
@pytest.mark.parametrize("program", SEEDS, ids=range(len(SEEDS)))
def test_the_programs_that_a_search_begins_with(program):
    play(program)
