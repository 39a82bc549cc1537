"""Dropout of the candidate (Semeniuta, Severyn & Barth 2016): which cells have one."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core.cell import Cell


def has_candidate(cell: Cell) -> bool:
    """Whether a step passes anything through :meth:`Cell.drop_candidate`: found by dropping all of it.

    Of two steps, as a candidate may be made of the state alone, which is zero before the first.
    """
    like = next(cell.parameters(), torch.empty(0))
    training, rate = cell.training, cell.recurrent_dropout

    def after(rate: float) -> Tensor:
        torch.default_generator.manual_seed(0)  # of whatever else the step draws
        cell.recurrent_dropout = rate
        state = cell.initial_state(1, like)
        for x_t in x:
            _, state = cell.step(cell.project(x_t), state)
        return torch.cat(state, -1)

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        x = torch.randn(2, 1, cell.input_size, dtype=like.dtype, device=like.device)
        cell.train()
        try:
            return not torch.equal(after(0.0), after(1.0))
        finally:
            cell.recurrent_dropout = rate
            cell.train(training)
