from __future__ import annotations

import pytest
import torch

from rnnx.core.cell import Cell
from rnnx.core.engine import fold, scan
from rnnx.core.testing.cells.ways import BACK, EQUAL, FORTH, ROWS, STEPS, UP, Way


@pytest.mark.parametrize("way", [FORTH, BACK, EQUAL, UP])
def test_there_is_a_row_for_each_row(way: Way) -> None:
    assert len(way.structure) == ROWS


def test_lengths_differ_are_not_sorted_and_fill_the_steps() -> None:
    lengths = FORTH.structure.tolist()
    assert max(lengths) == STEPS
    assert len(set(lengths)) == ROWS
    assert lengths not in (sorted(lengths), sorted(lengths, reverse=True))
    assert EQUAL.structure.tolist() == [STEPS] * ROWS
    assert torch.equal(BACK.structure, FORTH.structure)


def test_trees_have_one_root_and_nodes_with_no_child_one_and_two() -> None:
    counts = set()
    for row in UP.structure.tolist():
        assert row.count(-1) == 1
        counts |= {row.count(node) for node, parent in enumerate(row) if parent != -2}
    assert counts == {0, 1, 2}


@pytest.mark.parametrize("way", [FORTH, BACK, UP])
def test_what_is_padded_is_what_no_output_is_given_for(way: Way, right: type[Cell]) -> None:
    cell = right(2).double()
    structure, padding = way.padded(2)
    x = torch.randn(ROWS, STEPS + 2, 2, dtype=torch.double)
    y, _ = way.read(cell, x, structure, cell.initial_state(ROWS, x))
    assert torch.equal((y == 0).all(-1), padding)


def test_they_are_the_engines(right: type[Cell]) -> None:
    cell = right(2).double()
    x = torch.randn(ROWS, STEPS, 2, dtype=torch.double)
    state = torch.randn(2, ROWS, 6, dtype=torch.double).unbind()
    for way, expected in (
        (FORTH, scan(cell, x, torch.tensor([5, 2, 4, 1]), state)),
        (BACK, scan(cell, x, torch.tensor([5, 2, 4, 1]), state, reverse=True)),
        (EQUAL, scan(cell, x, None, state)),
        (UP, fold(cell, x, UP.structure)),
    ):
        y, last = way.read(cell, x, way.structure, state)
        torch.testing.assert_close((y, *last), (expected[0], *expected[1]), rtol=0, atol=0)
