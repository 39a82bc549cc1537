"""However a cell multiplies its rows with a matrix, the graph has one product of rows, which can be in C."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling.operations import ATEN
from rnnx.core.unrolling.plans import plan_of
from rnnx.core.unrolling.trace import settled, traced
from tests.core.unrolling.kernels.in_c import ALL, in_c

N, T, P, H = 4, 6, 3, 5


class Multiplying(Cell, ABC):
    """Elman's network, of matrices ``(H, P)`` and ``(H, H)``."""

    input_size, output_size, state_sizes = P, H, (H,)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.recurrent = (nn.Parameter(torch.randn(H, width) / H) for width in (P, H))

    @abstractmethod
    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        """``rows @ matrix.T``."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.times(z, self.input) + self.times(state[0], self.recurrent))
        return h, (h,)


@final
class Linear(Multiplying):
    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return F.linear(rows, matrix)


@final
class Einsum(Multiplying):
    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return torch.einsum("ni,oi->no", rows, matrix)


@final
class EinsumOfColumns(Multiplying):
    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return torch.einsum("oi,ni->on", matrix, rows).T


@final
class Columns(Multiplying):
    """A matrix times a column for each row."""

    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return (matrix @ rows.unsqueeze(-1)).squeeze(-1)


@final
class RowsOfOne(Multiplying):
    """A matrix of one row for each row."""

    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return (rows.unsqueeze(1) @ matrix.T).squeeze(1)


@final
class Turned(Multiplying):
    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return (matrix @ rows.T).T


@final
class Tensordot(Multiplying):
    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return torch.tensordot(rows, matrix, dims=([1], [1]))


@final
class Batched(Multiplying):
    """One matrix for each row, all of them the same."""

    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return torch.bmm(rows.unsqueeze(1), matrix.T.expand(len(rows), -1, -1)).squeeze(1)


@final
class BatchedColumns(Multiplying):
    def times(self, rows: Tensor, matrix: Tensor) -> Tensor:
        return torch.bmm(matrix.expand(len(rows), -1, -1), rows.unsqueeze(2)).squeeze(2)


KINDS = Multiplying.__subclasses__()


def given_to(learns: bool) -> tuple[Tensor, State]:
    return torch.randn(N, T, P, requires_grad=learns), (torch.randn(N, H, requires_grad=learns),)


@pytest.mark.parametrize("learns", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_it_is_read_in_c(kind: type[Multiplying], learns: bool) -> None:
    cell, (x, state) = kind(), given_to(learns)
    with torch.set_grad_enabled(learns):
        assert in_c(plan_of(cell, x[:, 0], state)) == [ALL, ALL]


@pytest.mark.parametrize("learns", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_way_forth_has_two_products_of_rows(kind: type[Multiplying], learns: bool) -> None:
    cell, (x, state) = kind().double(), given_to(learns)
    z, state = x.double()[:, 0], tuple(tensor.double() for tensor in state)
    with torch.set_grad_enabled(learns):
        graph = traced(cell, z, state, settled(cell, z, state))
    (results,) = graph.output_node().args
    above, waiting = set(), [results[0]]  # type: ignore[index]
    while waiting:
        node = waiting.pop()
        above.add(node)
        waiting += node.all_input_nodes
    products = [node for node in above if node.target in (ATEN.mm.default, ATEN.addmm.default)]
    assert [node.meta["by_rows"] for node in products] == [True, True]
    assert not any(node.target is ATEN.bmm.default for node in above)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_it_gives_what_the_loop_gives(kind: type[Multiplying]) -> None:
    cell, (x, state) = kind(), given_to(True)
    lengths, of = torch.tensor([6, 2, 4, 1]), [x, *state, *cell.parameters()]
    outcomes = []
    for way in (scan, loop):
        y, last = way(cell, x, lengths, state)
        gradients = torch.autograd.grad(y.square().sum() + last[0].sum(), of)
        with torch.no_grad():
            outcomes.append([y, *last, *gradients, way(cell, x, lengths, state)[0]])
    torch.testing.assert_close(*outcomes, rtol=1e-4, atol=1e-5)
