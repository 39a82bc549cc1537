"""How a cell's matrices start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.nets.matrices import read_matrices, recurrent_matrices

Initialization: TypeAlias = Literal["cell", "orthogonal", "xavier", "he", "uniform"]


@torch.no_grad()
def initialize(cell: Cell, inputs: Initialization, recurrent: Initialization, bound: float) -> None:
    """Draws a cell's matrices anew, each gate by itself; vectors, and what no step reads, stay as they are.

    A matrix whose height is a multiple of that of the widest memory is taken apart into gates of that height.

    Args:
        cell: The cell.
        inputs: Of the matrices that read the input: ``cell`` leaves them; ``orthogonal`` (Saxe et al. 2014);
            ``xavier``, uniform (Glorot & Bengio 2010); ``he``, normal (He et al. 2015); ``uniform``.
        recurrent: The same for the matrices that carry the past, see
            :func:`~rnnx.core.nets.matrices.recurrent_matrices`.
        bound: ``uniform`` is from ``-bound`` to ``bound``.
    """
    if inputs == recurrent == "cell":
        return
    draw: dict[str, Callable[[Tensor], object]] = {
        "cell": lambda gate: None,
        "orthogonal": nn.init.orthogonal_,
        "xavier": nn.init.xavier_uniform_,
        "he": nn.init.kaiming_normal_,
        "uniform": lambda gate: nn.init.uniform_(gate, -bound, bound),
    }
    past = recurrent_matrices(cell)
    width = max(size for place, size in enumerate(cell.state_sizes) if place not in cell.bookkeeping)
    for name in read_matrices(cell):
        matrix = cell.get_parameter(name)
        if matrix.dim() == 2:
            height = width if len(matrix) % width == 0 else len(matrix)
            for gate in matrix.split(height):
                draw[recurrent if name in past else inputs](gate)
