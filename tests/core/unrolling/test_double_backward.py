from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.double_backward import DoubleBackward, is_wanted
from rnnx.core.unrolling.substitution import is_separable, named_tensors

CPU = torch.device("cpu")


@final
class Scaled(Cell):
    """``h' = w z h``, dropped from if it is in training."""

    input_size, output_size, state_sizes = 1, 1, (1,)

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([3.0]))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.nn.functional.dropout(self.weight * z * state[0], 0.5, self.training)
        return h, (h,)


def way(cell: Cell, z: Tensor, state: State) -> tuple[Tensor, State]:
    return cell.step(z, state)


def of(cell: Cell, draws: bool = False) -> DoubleBackward:
    return DoubleBackward.of(way, cell, list(named_tensors(cell)), CPU, is_separable(cell), draws)


def one(number: float) -> Tensor:
    return torch.tensor([[float(number)]], requires_grad=True)


def test_gradients_are_those_of_the_readable_way_by_hand() -> None:
    cell = Scaled().eval()
    z, h, weight = one(2), one(5), torch.tensor([3.0], requires_grad=True)
    found = of(cell).gradients(z, (h,), [weight], (torch.tensor([[10.0]]), torch.tensor([[1.0]])))
    assert [gradient.item() for gradient in found if gradient is not None] == [
        165,
        66,
        110,
    ]  # 11 times the others


def test_they_can_be_differentiated() -> None:
    z, h, weight = one(2), one(5), torch.tensor([3.0], requires_grad=True)
    at = (torch.ones(1, 1), torch.zeros(1, 1))
    to_z, *_ = of(Scaled().eval()).gradients(z, (h,), [weight], at)
    assert to_z is not None
    assert [gradient.item() for gradient in torch.autograd.grad(to_z, [h, weight])] == [3, 5]


def test_what_was_made_in_training_is_made_so_again_with_the_same_random_numbers() -> None:
    cell = Scaled()
    z, h = torch.full((1000, 1), 2.0, requires_grad=True), torch.full((1000, 1), 5.0)
    torch.manual_seed(3)
    again = of(cell, draws=True)
    y, _ = cell.step(z, (h,))
    (wanted,) = torch.autograd.grad(y.sum(), z)
    cell.eval()
    before = torch.get_rng_state()
    at = (torch.ones(1000, 1), torch.zeros(1000, 1))
    found, *_ = again.gradients(z, (h,), [cell.weight], at)
    assert found is not None
    assert set(found.flatten().tolist()) == {0, 30}
    assert torch.equal(found, wanted)
    assert torch.equal(torch.get_rng_state(), before)
    assert not cell.training


def test_it_is_wanted_where_gradients_are_differentiated_or_come_several_at_once() -> None:
    at, seen = torch.ones(3), []
    with torch.no_grad():
        assert not is_wanted((at,))
    assert is_wanted((at,))

    class Asked(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradients: Tensor) -> Tensor:
            seen.append(is_wanted(gradients))
            return gradients[0]

    x = torch.ones(3, requires_grad=True)
    y: Tensor = Asked.apply(x)  # type: ignore[no-untyped-call]
    torch.autograd.grad(y, x, at, retain_graph=True)
    torch.autograd.grad(y, x, torch.eye(3), retain_graph=True, is_grads_batched=True)
    torch.autograd.grad(y, x, at, create_graph=True)
    assert seen == [False, True, True]
