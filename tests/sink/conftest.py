"""What tests of one cluster leave to each other: nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client

from headless import eventually


@pytest.fixture(autouse=True)
def no_outputs_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wait until Dask has released a test's outputs, which the next one's taps would select."""
    yield
    client = request.node.funcargs.get("client")
    if isinstance(client, Client) and client.status == "running":
        eventually(lambda: not any(client.run(lambda dask_worker: len(dask_worker.data)).values()))
