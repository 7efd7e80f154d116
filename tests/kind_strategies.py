"""What tasks may return, and what they should not, for tests with Hypothesis."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

floats = st.floats(width=32)
columns = st.one_of(
    st.lists(st.one_of(st.none(), floats, st.integers(), st.text(max_size=5), st.booleans())),
    hnp.arrays(
        st.one_of(hnp.floating_dtypes(), hnp.datetime64_dtypes(), hnp.unicode_string_dtypes()),
        st.integers(0, 4),
    ),
)
tables = st.dictionaries(
    st.sampled_from(["y", "x", "z", "t", "track_id", "frame", "parent", "label", "area", "dy"])
    | st.text(max_size=4),
    columns,
    max_size=6,
)
arrays = hnp.arrays(
    st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="?"),
        hnp.unsigned_integer_dtypes(endianness="?"),
        hnp.floating_dtypes(endianness="?"),
        hnp.complex_number_dtypes(endianness="?"),
        hnp.datetime64_dtypes(),
        hnp.unicode_string_dtypes(),
    ),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)
vertices = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int16]),
    st.tuples(st.integers(0, 6), st.integers(2, 3)),
)
names = st.sampled_from(["polygon", "rectangle", "ellipse", "line", "path", "point", "blob"])
whole = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 6), st.sampled_from([4, 5])),
    elements=st.integers(-1, 5).map(float),
)
faces = hnp.arrays(np.int64, st.tuples(st.integers(0, 4), st.sampled_from([3, 4]))).map(
    lambda a: a % 6
)
graphs = st.dictionaries(st.integers(0, 5), st.integers(0, 5) | st.lists(st.integers(0, 5)))
metas = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=4),
        "features": tables,
        "scale": st.lists(floats, max_size=3),
        "units": st.sampled_from(["um", ["um", "um"], 3]),
        "metadata": st.sampled_from([{}, {"at": {"t": 1}}, {"at": 3}]),
        "size": floats | st.lists(floats, max_size=3),
        "shape_type": names | st.lists(names, max_size=3),
        "graph": graphs,
        "face_color": st.text(max_size=5) | arrays,
        "colour": st.integers(),
    },
)
single = st.one_of(
    arrays,
    tables,
    vertices,
    whole,
    st.tuples(vertices, names),
    st.lists(vertices | st.tuples(vertices, names), max_size=4),
    st.tuples(whole, graphs),
    st.tuples(whole, tables, graphs),
    st.tuples(vertices, faces),
    st.tuples(arrays, tables),
    hnp.arrays(np.float32, st.tuples(st.integers(0, 4), st.just(2), st.integers(1, 3))),
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 3))),
    st.sampled_from(
        [
            {"type": "Point", "coordinates": [1, 2]},
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
            {"type": "Polygon", "coordinates": 3},
            {"type": "MultiPoint"},
            {"vertices": [[0, 0], [1, 1]], "type": "line", "n": 3},
        ]
    ),
    st.none(),
    st.integers(),
    st.text(max_size=3),
    st.binary(max_size=3),
)
kinds = st.sampled_from(["image", "labels", "points", "shapes", "tracks", "vectors", "surface"])
layers = st.one_of(st.tuples(single, metas), st.tuples(single, metas, kinds | st.text(max_size=3)))
outputs = st.one_of(
    single,
    layers,
    st.lists(single | layers, max_size=4),
    st.lists(single | layers, max_size=4).map(tuple),
    st.dictionaries(st.text(max_size=3) | st.integers(), single | layers, max_size=3),
)
