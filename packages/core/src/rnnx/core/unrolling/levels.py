"""The readable way up trees, level by level: what every faster way must equal."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.trees import Trees


def level_by_level(cell: Cell, z: Tensor, trees: Trees, leaves: State) -> tuple[Tensor, State]:
    """Composes the nodes of trees that have children, those of one height at once.

    Args:
        cell: The cell.
        z: Their projected inputs, ``(M, P)``, in the order of the trees; one at least.
        trees: The trees.
        leaves: The state of the nodes that have none, ``(L, size)``, in that order.

    Returns:
        ``y``, ``(M, output_size)``; and the state of each tree's root, ``(N, size)``.
    """
    waiting = leaves  # the nodes so far whose parents are still to come
    outputs = []
    _, *levels = trees.levels
    for row, level in zip(z.split(trees.sizes[1:]), levels, strict=True):
        y, state = cell.fold(row, states.select(waiting, level.children), level.present)
        outputs.append(y)
        waiting = states.join([states.select(waiting, level.waiting), state])
    return torch.cat(outputs), states.select(waiting, trees.roots)
