"""Every cell of sequences that is installed, in each of its settings, with its steps in C."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.cell import Cell
from rnnx.core.unrolling.sorting import Kernels
from rnnx.core.unrolling.steps import Start
from tests.cells.by_plan import SUBJECTS, as_the_steps
from tests.core.unrolling.kernels.in_c import ALL, in_c


@pytest.mark.parametrize("start", [Start.INPUTS, Start.PROJECTED])
@pytest.mark.parametrize("name", SUBJECTS)
def test_it_gives_what_the_steps_give(name: str, start: Start) -> None:
    assert in_c(as_the_steps(name, Kernels.C, start)) == [ALL, ALL]


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("lengths", [None, torch.tensor([5, 1])], ids=["equal", "variable"])
@pytest.mark.parametrize("kind", [Elman, GRU, LSTM])
def test_torchs_kernels_are_left_but_for_an_lstm_over_rows_of_one_length(
    kind: type[Elman | GRU | LSTM], learns: bool, lengths: Tensor | None
) -> None:
    cell: Cell = kind(3, hidden_size=4)
    x = torch.randn(2, 5, 3)
    with torch.set_grad_enabled(learns):
        read = cell.unroll(x, lengths, cell.initial_state(2, x))
    assert (read is not None) == (kind is LSTM and lengths is None)
