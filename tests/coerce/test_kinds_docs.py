"""The page on kinds names every reason for which an output is refused."""

import re
from pathlib import Path

import dask_napari.coerce

ROOT = Path(__file__).parents[2]


def test_every_reason_is_on_the_page():
    source = Path(dask_napari.coerce.__file__).parent
    text = "".join(path.read_text() for path in source.glob("*.py"))
    reasons = set(re.findall(r'Refusal\(\s*"([^"]+)"', text))
    assert len(reasons) > 20
    page = (ROOT / "docs/kinds.md").read_text()
    # Of calls of `coerce` with several items or an unknown kind, which no tap makes.
    assert {reason for reason in reasons if f"`{reason}`" not in page} <= {"parts", "kind"}
