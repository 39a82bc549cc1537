from __future__ import annotations

import sys

import pytest
import torch

from rnnx.core.registry import find, plugins
from rnnx.core.testing import check_cell
from rnnx.core.testing.tasks.probe import NAME, Probe, installed


def test_it_is_a_right_cell_though_of_no_paper() -> None:
    found = dict(check_cell(Probe))
    assert "names no paper" in (found.pop("paper and equations are given") or "")
    assert [problem for problem in found.values() if problem] == []


def test_its_widths_differ() -> None:
    cell = Probe(5)
    assert len({cell.input_size, cell.output_size, *cell.state_sizes}) == 4


def test_its_equations_on_numbers_worked_out_by_hand() -> None:
    cell = Probe(1, hidden_size=1).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.fill_(1.0)
        y, (m, h) = cell.step(
            cell.project(torch.tensor([[0.5]]).double()),
            (torch.tensor([[2.0]]).double(), torch.ones(1, 3).double()),
        )
    # a = g = 0.5 + 1 + 3 * 1 = 4.5; sigmoid 0.98901306, tanh 0.99975321; h: tanh(m)
    expected = 0.98901306 * 2 + (1 - 0.98901306) * 0.99975321
    assert m.item() == pytest.approx(expected, abs=1e-7)
    assert h.tolist()[0] == pytest.approx([0.963243] * 3, abs=1e-6)
    assert torch.equal(y, torch.cat((m, h), -1))


def test_it_is_found_by_its_name_for_a_while() -> None:
    before, path = plugins("cell"), list(sys.path)
    with installed(), installed():
        assert find("cell", "elman")
    with installed():
        assert find("cell", NAME).load() is Probe
    with pytest.raises(ZeroDivisionError), installed():
        raise ZeroDivisionError
    assert plugins("cell") == before
    assert sys.path == path
