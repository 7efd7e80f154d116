"""The ledger adds up and finds what does not."""

from __future__ import annotations

from collections import Counter

import pytest

from dask_napari.model import Ledger, Tally


def test_layers_add_up_over_publishers():
    ledger = Ledger(
        {
            ("w1", "cells"): Tally(3, 1, 1, Counter({"full": 1})),
            ("w2", "cells"): Tally(2, 1, pending=1),
            ("w2", "raw"): Tally(1, 1),
        }
    )
    assert ledger["cells"] == Tally(5, 2, 1, Counter({"full": 1}), 1)
    assert list(ledger) == ["cells", "raw"]
    assert ledger.total.selected == 6
    assert ledger.balanced
    assert "5 selected = 2 shown + 1 coalesced + 1 dropped (full: 1) + 1 pending" in str(ledger)


def test_a_loss_is_found():
    assert not Ledger({("w", "cells"): Tally(selected=2, shown=1)}).balanced


def test_an_unknown_layer_names_those_there_are():
    with pytest.raises(KeyError, match="cells"):
        Ledger({("w", "cells"): Tally()})["nuclei"]


def test_an_empty_ledger_says_so():
    assert str(Ledger()) == "nothing selected yet"
