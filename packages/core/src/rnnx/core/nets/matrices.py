"""A cell's matrices: which of them carry the past, and which are read at all."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State

ROWS = 8  # of the states from which it is found what carries the past


def recurrent_matrices(cell: Cell) -> list[str]:
    """The names of the matrices through which the past goes.

    They are found, not declared: those that the state after a step depends on although the input is zero. So
    a hidden-to-hidden matrix is one, an input matrix is none, one that only the output reads is none, and a
    matrix that multiplies input and state side by side is one.

    Args:
        cell: Any cell; it and the random numbers to come stay as they are.

    Example:
        >>> from torch import nn
        >>> class Simple(Cell):
        ...     input_size, output_size, state_sizes = 2, 3, (3,)
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.W, self.U = nn.Linear(2, 3), nn.Linear(3, 3)
        ...     def project(self, x):
        ...         return self.W(x)
        ...     def step(self, z, state):
        ...         h = torch.tanh(z + self.U(state[0]))
        ...         return h, (h,)
        >>> recurrent_matrices(Simple())
        ['U.weight']
    """
    return _reached(cell, reading=False)


def read_matrices(cell: Cell) -> list[str]:
    """The names of the matrices that a step reads, of the input or of the past.

    Args:
        cell: Any cell; it and the random numbers to come stay as they are.
    """
    return _reached(cell, reading=True)


def _reached(cell: Cell, reading: bool) -> list[str]:
    """The names of the matrices that a step depends on.

    Args:
        cell: Any cell; it and the random numbers to come stay as they are.
        reading: Whether its input is drawn at random and its output counts, or the input is zero and only the
            state after it counts.
    """
    named = {name: value for name, value in cell.named_parameters() if value.dim() > 1}
    if not named:
        return []
    like = next(iter(named.values()))
    used: set[str] = set()
    training = cell.training
    cell.eval()  # what is random in training may hide a matrix
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            for state in _states(cell, like):
                x = like.new_zeros(len(state[0]), cell.input_size)
                y, after = cell.step(cell.project(torch.randn_like(x) if reading else x), state)
                seen = (y, *after) if reading else after
                total = torch.stack([(value * torch.rand_like(value)).sum() for value in seen]).sum()
                gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
                used |= {
                    name
                    for name, slope in zip(named, gradients, strict=True)
                    if slope is not None and slope.any()
                }
    finally:
        cell.train(training)
    return [name for name in named if name in used]


def _states(cell: Cell, like: Tensor) -> list[State]:
    """States with each tensor by itself at random, and with all of them."""
    first = states.detach(cell.initial_state(ROWS, like))  # a start that is learned is no matrix
    drawn = tuple(torch.randn_like(tensor) for tensor in first)
    single = [(*first[:i], tensor, *first[i + 1 :]) for i, tensor in enumerate(drawn)]
    return [*single, drawn]
