"""The ragged canvas against a table built the slow way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.canvas import CanvasAxes
from dask_napari.canvas.elements import Block, RaggedCanvas
from dask_napari.canvas.pixels import Canvas
from dask_napari.model import Refusal, natural_key

COORDINATES = {"well": ["A01", "A02", "A10", "B1"], "t": [0, 1, 2.5, 10]}
SIGNATURES = [("well", "t"), ("well",), ("t",)]
POSITIONS = st.one_of(
    st.fixed_dictionaries({name: st.sampled_from(COORDINATES[name]) for name in signature})
    for signature in SIGNATURES
)
COUNTS = st.integers(0, 4)
PUTS = st.lists(st.tuples(POSITIONS, COUNTS), min_size=1, max_size=12)


def block(count: int, number: int, depth: bool = False) -> Block:
    """Elements that can be told apart by their x, and that have their number as a feature."""
    x = number * 10 + np.arange(count)
    columns = [x * 0, x, x] if depth else [x, x]
    return Block(np.stack(columns, 1).astype(float), columns={"n": x})


def fill(puts) -> RaggedCanvas:
    canvas = RaggedCanvas(CanvasAxes())
    canvas.axes.admit({"well": "A01", "t": 0}, ("well", "t"))
    for number, (position, count) in enumerate(puts):
        canvas.put(position, block(count, number))
    return canvas


def reference(puts) -> set[tuple[float, ...]]:
    """Every element at every place where it is seen: (well, t, x)."""
    wells = sorted({"A01", *(p["well"] for p, _ in puts if "well" in p)}, key=natural_key)
    times = sorted({0, *(p["t"] for p, _ in puts if "t" in p)}, key=natural_key)
    last = {tuple(sorted(p.items())): (number, count) for number, (p, count) in enumerate(puts)}
    seen = set()
    for place, (number, count) in last.items():
        where = dict(place)
        for well, t in itertools.product(wells, times):
            if where.get("well", well) == well and where.get("t", t) == t:
                for turn in range(count):
                    seen.add((wells.index(well), times.index(t), number * 10 + turn))
    return seen


def table(rows) -> set[tuple[float, ...]]:
    assert rows.coordinates.shape == (len(rows), 4)
    if len(rows):
        np.testing.assert_array_equal(rows.coordinates[:, -1], rows.columns["n"])
        np.testing.assert_array_equal(rows.coordinates[:, -2], rows.columns["n"])
    elements = [tuple(row[[0, 1, 3]]) for row in rows.coordinates]
    assert len(elements) == len(set(elements))
    return set(elements)


@given(PUTS)
def test_it_is_the_table_of_all_elements(puts):
    canvas, elements = fill(puts), reference(puts)
    assert table(canvas.all_rows()) == elements
    assert canvas.size == len(elements)


@given(PUTS, st.data())
def test_what_is_seen_is_the_part_of_the_table_at_the_steps(puts, data):
    canvas, elements = fill(puts), reference(puts)
    at = [
        data.draw(st.one_of(st.none(), st.integers(0, length - 1))) for length in canvas.axes.shape
    ]
    here = {
        each
        for each in elements
        if all(step is None or step == each[turn] for turn, step in enumerate(at))
    }
    assert table(canvas.rows_at([*at, None, None])) == here


@given(PUTS)
def test_rows_keep_their_place_while_the_state_is_the_same(puts):
    canvas = RaggedCanvas(CanvasAxes())
    canvas.axes.admit({"well": "A01", "t": 0}, ("well", "t"))
    before = None
    for number, (position, count) in enumerate(puts):
        canvas.put(position, block(count, number))
        rows = canvas.all_rows()
        if before is not None and before[0] == canvas.state:
            kept = before[1]
            np.testing.assert_array_equal(rows.coordinates[: len(kept)], kept)
        before = canvas.state, rows.coordinates


@given(st.permutations(list(itertools.product(COORDINATES["well"], COORDINATES["t"]))))
def test_the_order_of_arrival_does_not_matter(order):
    canvas = RaggedCanvas(CanvasAxes())
    for well, t in order:
        number = COORDINATES["well"].index(well) * 10 + COORDINATES["t"].index(t)
        canvas.put({"well": well, "t": t}, block(2, number), order=("well", "t"))
    wells = sorted(COORDINATES["well"], key=natural_key)
    for row, number in zip(
        canvas.all_rows().coordinates, canvas.all_rows().columns["n"], strict=True
    ):
        well, t = divmod(int(number) // 10, 10)
        assert wells[int(row[0])] == COORDINATES["well"][well]
        assert row[1] == t


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), COUNTS), min_size=1, max_size=30),
)
def test_replaced_rows_are_let_go_of(puts):
    canvas = RaggedCanvas(CanvasAxes())
    last = {}
    for number, (place, count) in enumerate(puts):
        count = count * 300  # so that it has something to let go of
        last[place] = number
        result = canvas.put({"p": place}, block(count, number * 1000))
        assert result.replaced == (place in {p for p, _ in puts[:number]})
    numbers = {int(n) // 10_000 for n in canvas.all_rows().columns["n"]}
    assert numbers == {number for number in last.values() if puts[number][1]}
    assert len(canvas._table) <= 2 * len(canvas) + 1024 + 4 * 300


def test_a_column_along_a_slider_becomes_its_index():
    axes = CanvasAxes()
    images = Canvas(axes)
    for t in (10, 30, 20):
        images.put({"t": t}, np.zeros((4, 5), "u1"))
    canvas = RaggedCanvas(axes)
    canvas.put(
        {}, Block(np.array([[10, 1, 1], [20, 2, 2], [25, 3, 3], [30, 4, 4.0]]), ("t", "y", "x"))
    )
    assert axes["t"].coordinates == (10, 20, 25, 30)
    assert canvas.all_rows().coordinates[:, 0].tolist() == [0, 1, 2, 3]
    assert canvas.rows_at((1, None, None)).coordinates.tolist() == [[1, 2, 2]]
    # Sub-frame times lie between frames, and make no steps of their own.
    canvas.put({}, Block(np.array([[22.5, 1, 1]]), ("t", "y", "x")))
    assert len(axes["t"]) == 4
    assert canvas.all_rows().coordinates[-1, 0] == pytest.approx(1.5)


def test_a_named_axis_that_is_not_of_space_makes_a_slider():
    canvas = RaggedCanvas(CanvasAxes())
    result = canvas.put({"well": "A"}, Block(np.array([[4, 1, 1], [2, 1, 1.0]]), ("t", "y", "x")))
    assert result.grew
    assert canvas.axes.labels == ("well", "t", "y", "x")
    assert canvas.axes["t"].coordinates == (2, 4)
    assert canvas.slider_columns == {"t"}


def test_elements_of_a_plane_are_where_one_looks_in_a_stack():
    axes = CanvasAxes()
    stack = Canvas(axes)
    stack.put({"t": 0}, np.zeros((3, 4, 5), "u1"))
    canvas = RaggedCanvas(axes)
    canvas.put({"t": 0}, block(1, 0))
    assert canvas.rows_at((0, 2, None, None)).coordinates.tolist() == [[0, 2, 0, 0]]
    assert canvas.all_rows().coordinates[:, 1].tolist() == [0, 1, 2]


def test_elements_in_depth_make_room_for_it():
    axes = CanvasAxes()
    canvas = RaggedCanvas(axes)
    canvas.put({}, Block(np.array([[6.5, 1, 1]])))
    assert (axes.spatial, axes.extent) == (("z", "y", "x"), (7, 1, 1))


def test_blocks_side_by_side_at_one_place():
    canvas = RaggedCanvas(CanvasAxes())
    for tile in range(3):
        canvas.put({"t": 0}, block(1, 0), tile=tile, shift=(0, 100.0 * tile))
    assert canvas.all_rows().coordinates[:, 2].tolist() == [0, 100, 200]
    generation = canvas.generation
    canvas.relayout(lambda tile: (10.0 * tile, 0.0))
    assert canvas.generation > generation
    assert canvas.all_rows().coordinates[:, 1:].tolist() == [[0, 0], [10, 0], [20, 0]]
    assert canvas.put({"t": 0}, block(2, 1), tile=1, shift=(1.0, 0.0)).replaced
    assert canvas.all_rows().coordinates[:, 1:].tolist() == [[0, 0], [20, 0], [11, 10], [12, 11]]


def test_columns_may_differ_between_blocks():
    canvas = RaggedCanvas(CanvasAxes())
    at = np.zeros((1, 2))
    canvas.put({"t": 0}, Block(at, columns={"area": np.array([3]), "name": np.array(["a"])}))
    canvas.put({"t": 1}, Block(at, columns={"area": np.array([0.5])}))
    canvas.put({"t": 2}, Block(at, columns={"name": np.array(["longer"]), "ok": np.array([True])}))
    columns = canvas.all_rows().columns
    np.testing.assert_array_equal(columns["area"], [3, 0.5, np.nan])
    assert columns["name"].tolist() == ["a", "", "longer"]
    np.testing.assert_array_equal(columns["ok"], [np.nan, np.nan, 1])


def test_columns_that_are_missing_in_most_rows_are_refused():
    many = Block(np.zeros((1 << 20, 2), np.float32))
    wide = Block(np.zeros((1, 2)), columns={f"c{n}": np.array([1.5]) for n in range(1000)})
    few = Block(np.zeros((1, 2)), columns={"name": np.array(["x" * 1000]), "area": np.array([1.5])})
    for first, second in ((wide, many), (many, wide)):
        canvas = RaggedCanvas(CanvasAxes())
        canvas.put({"t": 0}, first)
        with pytest.raises(Refusal, match=r"8000 B a row are missing in most of 1048577 rows"):
            canvas.put({"t": 1}, second)
        assert len(canvas.all_rows().coordinates) == (1 if first is wide else 1 << 20)
    canvas.put({"t": 2}, few)
    assert len(canvas.all_rows().coordinates) == (1 << 20) + 1


@pytest.mark.parametrize(
    ("position", "bad"),
    [
        ({"t": 0}, Block(np.zeros(5))),
        ({"t": 0}, Block(np.zeros((3, 1)))),
        ({"t": 0}, Block(np.array([[np.nan, 1]]))),
        ({"t": float("nan")}, Block(np.zeros((1, 2)))),
        ({"t": [1]}, Block(np.zeros((1, 2)))),
        ({"t": 0}, Block(np.zeros((1, 2)), ("y",))),
        ({}, Block(np.arange(90_000.0).reshape(-1, 3), ("frame", "y", "x"))),
        ({"t": 0}, Block(np.zeros((1, 2)), ("t", "x"))),
        ({"t": 0}, Block(np.zeros((1, 2)), columns={"n": np.zeros(2)})),
        ({"t": 0}, Block(np.zeros((1, 2)), columns={"n": np.zeros((1, 7))})),
    ],
)
def test_what_cannot_be_shown_changes_nothing(position, bad):
    canvas = RaggedCanvas(CanvasAxes())
    canvas.put({"t": 5}, block(2, 1))
    before = canvas.axes.version, canvas.version, len(canvas), canvas.axes.labels
    with pytest.raises(Refusal):
        canvas.put(position, bad)
    assert (canvas.axes.version, canvas.version, len(canvas), canvas.axes.labels) == before


def test_the_cost_of_a_block_does_not_grow_with_their_number():
    """Counted, not timed: rows copied for the sake of others must stay few."""
    canvas = RaggedCanvas(CanvasAxes())
    sizes = set()
    for number in range(3000):
        canvas.put({"p": number}, block(3, number))
        sizes.add(len(canvas._table._places._buffers[".0"]))
    assert len(sizes) <= 7  # each a copy of all rows: 256, 512, ... 16 384
