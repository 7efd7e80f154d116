"""Recipes of docs/recipes.md: each runs where its tool is installed."""

import ast
import importlib.util
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from distributed import Client, wait

from dask_napari.sink import SINK_NAME, NapariSink
from dask_napari.stream.receive import Board, Receiver
from dask_napari.tap import Tap

PAGE = (Path(__file__).parents[1] / "docs/recipes.md").read_text()
RECIPES = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.M | re.S))
DEADLINE = 60.0

WEIGHTS = {"Cellpose", "StarDist"}
"""Recipes whose models are downloaded."""


@pytest.fixture(scope="module")
def client():
    with Client(
        n_workers=1, processes=False, threads_per_worker=2, dashboard_address=None
    ) as client:
        yield client


def modules_of(code):
    """Return the packages that a recipe imports."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


@pytest.mark.parametrize("title", RECIPES)
@pytest.mark.filterwarnings("ignore")  # of the tools
def test_a_recipe_shows_what_it_says(client, title):
    code = RECIPES[title]
    missing = [
        name for name in modules_of(code) if not importlib.util.find_spec(name.split(".")[0])
    ]
    if missing or title in WEIGHTS:
        pytest.skip(f"needs {', '.join(missing) or 'the weights of a model'}")
    board, taps = Board(), []

    def tap(select, **options):
        taps.append(Tap(select, **options))
        client.register_plugin(NapariSink(receiver.addresses, taps))

    with Receiver(["ipc://*"], board) as receiver:
        variables = {"client": client, "live": SimpleNamespace(tap=tap)}
        exec(compile(code, title, "exec"), variables)
        wait([future for value in variables.values() for future in client.futures_of(value)])
        deadline, layers = time.monotonic() + DEADLINE, set()
        while True:
            board.wait(timeout=0.1)
            items = board.take()
            board.shown(items)
            layers |= {(item.layer, item.kind) for item in items if item.data.size}
            total = receiver.ledger().total
            if {(each.layer, each.kind) for each in taps} <= layers and not total.pending:
                break
            assert time.monotonic() < deadline, (receiver.ledger(), receiver.reports())
        assert not total.dropped
    client.unregister_worker_plugin(SINK_NAME)


def test_every_tool_has_a_recipe():
    assert len(RECIPES) >= 10
    assert all("live.tap(" in code for code in RECIPES.values())
