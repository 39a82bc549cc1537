"""Steps over padding and all, for programs whose numbers of rows and steps are not known yet."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.nets.padding import real_steps
from rnnx.core.state import State


def step_over_padding(cell: Cell, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """Reads sequences as they stand, so that their lengths decide nothing but which numbers are kept.

    This is how ``torch.export`` is shown a cell. A known number of steps becomes as many in the program, any
    number of them torch's ``scan``.

    Args:
        cell: The cell.
        x: ``(N, T, input_size)``, at least one step.
        lengths: ``(N,)``; None where all are ``T``.
        state: The state before the first step, ``(N, size)``.

    Returns:
        ``y``, ``(N, T, output_size)``, zero past each row's length, and the state after each row's last step.

    Example:
        >>> class Sum(Cell):
        ...     input_size, output_size, state_sizes = 1, 1, (1,)
        ...     def step(self, z, state):
        ...         return state[0] + z, (state[0] + z,)
        >>> x, state = torch.tensor([[[1.], [2.]], [[3.], [9.]]]), (torch.zeros(2, 1),)
        >>> y, (last,) = step_over_padding(Sum(), x, torch.tensor([2, 1]), state)
        >>> y[..., 0].tolist(), last[:, 0].tolist()
        ([[1.0, 3.0], [3.0, 0.0]], [3.0, 3.0])
    """
    from torch._higher_order_ops.scan import scan  # not public yet
    from torch.fx.experimental.symbolic_shapes import has_static_value  # which takes long to import

    z = cell.project(x).transpose(0, 1)  # (T, N, P)
    real = x.new_ones(x.shape[:2], dtype=torch.bool) if lengths is None else real_steps(x, lengths)
    real = real.t().unsqueeze(-1)  # (T, N, 1)

    def step(before: State, read: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
        row, runs = read
        y, after = cell.step(row, before)
        kept = tuple(torch.where(runs, new, old) for new, old in zip(after, before, strict=True))
        return kept, torch.where(runs, y, 0)

    if has_static_value(x.shape[1]):
        outputs = []
        for read in zip(z, real, strict=True):
            state, y = step(state, read)
            outputs.append(y)
        return torch.stack(outputs, 1), state
    state, y = scan(step, state, (z, real))
    return y.transpose(0, 1), state
