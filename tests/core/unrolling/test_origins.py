from __future__ import annotations

from abc import ABC
from collections.abc import Iterable
from typing import final

import pytest
import torch
from torch import Tensor, fx, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.origins import Origins, whole
from rnnx.core.unrolling.trace import settled, traced

H = 4


class Square(Cell, ABC):
    """One matrix, and all as wide as it."""

    input_size, output_size, state_sizes = H, H, (H,)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(H, H))


@final
class Elman(Square):
    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(z + state[0] @ self.weight.T)
        return h, (h,)


@final
class ByInput(Square):
    """Its gate is a product's, its candidate an element's, and its output none that a state is made of."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        f = torch.sigmoid(torch.relu(z) @ self.weight)
        c = f * state[0] + torch.tanh(z)
        return torch.exp(c), (c,)


@final
class Noisy(Square):
    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(state[0]) + torch.sigmoid(torch.rand_like(z))
        return h, (h,)


def origins(cell: Cell, inside: bool = False) -> Origins:
    z, h = (torch.randn(3, H, requires_grad=True) for _ in range(2))
    return Origins(traced(cell, z, (h,), settled(cell, z, (h,))), 1, inside)


def names(nodes: Iterable[fx.Node]) -> list[str]:
    return sorted(node.target._schema.name.split("::")[1] for node in nodes if node.op == "call_function")


def test_elmans_step_and_its_gradient() -> None:
    of = origins(Elman())
    assert of.y is of.after[0]
    assert "t" in names(of.constant)
    assert names(of.primal & of.above([of.y])) == ["add", "mm", "tanh"]
    assert of.ahead | of.drawn == set()
    assert names(of.leading(of.to_state)) == ["add", "mm", "tanh_backward"]
    assert of.loose == {of.at[0]}
    assert "mm" in names(of.leading(of.to_tensors) - of.leading(of.to_state))


@pytest.mark.parametrize(
    ("inside", "ahead"), [(False, ["mm", "relu", "sigmoid", "tanh"]), (True, ["mm", "relu"])]
)
def test_inside_of_what_needs_no_past_products_alone_are_ahead_and_what_leads_to_them(
    inside: bool, ahead: list[str]
) -> None:
    of = origins(ByInput(), inside)
    assert names(of.ahead) == ahead
    assert names(of.primal & of.above([of.y])) == ["add", "exp", "mm", "mul", "relu", "sigmoid", "tanh"]


def test_what_random_numbers_lead_to_is_drawn() -> None:
    of = origins(Noisy())
    assert names(of.drawn) == ["add", "rand_like", "sigmoid"]
    assert names(of.random) == ["rand_like"]
    assert of.ahead == set()


def test_above_and_below() -> None:
    of = origins(ByInput())
    (exponential,) = (node for node in of.primal if names([node]) == ["exp"])
    (gate,) = (node for node in of.primal if names([node]) == ["sigmoid"])
    above = of.above([exponential])
    assert names(above & of.primal) == ["add", "exp", "mm", "mul", "relu", "sigmoid", "tanh"]
    assert of.above([exponential], above - {exponential}) == {exponential}
    assert names(of.below([gate]) & of.primal) == ["add", "exp", "mul", "sigmoid"]
    assert exponential in of.below(of.step)


def test_what_is_read_is_neither_a_parts_own_nor_constant() -> None:
    of = origins(Elman())
    assert of.reads(of.primal) == {*of.step}
    assert of.ordered(of.reads(of.primal)) == of.step


def test_results_are_made_of_what_is_done_and_of_what_is_given() -> None:
    of = origins(ByInput())
    (gate,) = (node for node in of.primal if names([node]) == ["sigmoid"])
    assert of.sources([of.y], set()) == {*of.step}
    assert of.sources([of.y], {gate}) == {*of.step, gate}
    assert of.sources([gate], {gate}) == {gate}


def test_what_is_made_by_elements_of_what_is_there_is_at_hand_and_a_product_is_not() -> None:
    of = origins(ByInput())
    made = {names([node])[0]: node for node in of.primal & of.above([of.y])}
    assert of.is_at_hand(made["tanh"], set())
    assert of.is_at_hand(made["exp"], {made["add"]})
    assert not of.is_at_hand(made["sigmoid"], set())
    assert of.is_at_hand(made["sigmoid"], {made["mm"]})
    assert not of.is_at_hand(made["mm"], {made["relu"]})
    assert not of.is_at_hand(made["mul"], {made["sigmoid"]})  # for the state before a step is not kept
    assert of.is_at_hand(made["mul"], {made["sigmoid"], made["add"]})  # and here is, as that after it


def test_what_is_joined_of_what_is_there_is_at_hand() -> None:
    @final
    class Joined(Square):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(torch.cat((z @ self.weight, state[0]), -1)).sum(-1, keepdim=True).expand_as(z)
            return h, (h,)

    of = origins(Joined())
    made = {names([node])[0]: node for node in of.primal & of.above([of.y])}
    assert not of.is_at_hand(made["cat"], {made["mm"]})
    assert of.is_at_hand(made["cat"], {made["mm"], of.after[0]})


def test_values_that_are_read_twice_are_looked_at_once() -> None:
    """Sixty times over, which else would be without end."""

    @final
    class Twice(Square):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            for _ in range(60):
                z = torch.sin(z) * z
            return z + state[0], (z + state[0],)

    of = origins(Twice())
    (last, *_) = of.y.all_input_nodes
    assert of.is_at_hand(last, set())


def test_a_part_is_whole_with_all_results_of_its_operations() -> None:
    @final
    class Halves(Square):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            one, other = torch.split(z, H // 2, 1)
            h = state[0] * torch.cat((other, one), 1)
            return h, (h,)

    of = origins(Halves())
    (split,) = (node for node in of.nodes if node.op == "call_function" and "split" in str(node.target))
    assert whole({split}) == {split, *split.users}
    assert len(whole({split})) == 3
