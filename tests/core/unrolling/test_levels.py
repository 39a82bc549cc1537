from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.levels import level_by_level


class Digits(Cell):
    """Of two children the numbers one after the other, then the node's own; how often it was called."""

    input_size, output_size, state_sizes = 1, 1, (1,)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        raise AssertionError("a tree is folded")

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        self.calls.append(len(z))
        number = torch.zeros_like(z)
        for child, there in zip(children[0].unbind(1), mask.unbind(1), strict=True):
            number = torch.where(there.unsqueeze(1), 1000 * number + child, number)
        return number, (10 * number + z,)


def column(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.double).unsqueeze(1)


def test_each_level_is_one_call_and_roots_are_those_of_their_rows_by_hand() -> None:
    # (1 2)5 and 3 under 7; 4 alone; (6)8
    parents = torch.tensor([[2, 2, 4, 4, -1], [-1, -2, -2, -2, -2], [1, -1, -2, -2, -2]])
    cell, trees = Digits(), Trees.of(parents)
    assert trees.nodes.tolist() == [0, 1, 3, 5, 10, 11, 2, 4]
    y, (roots,) = level_by_level(cell, column(8, 5, 7), trees, (column(1, 2, 3, 4, 6),))
    assert cell.calls == [2, 1]
    assert y.flatten().tolist() == [6, 1002, 10025003]
    assert roots.flatten().tolist() == [100250037, 4, 68]
