from __future__ import annotations

from abc import ABC
from collections.abc import Iterable
from typing import final

import pytest
import torch
from torch import Tensor, fx, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.step_graph import StepGraph, whole
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


def graph_of(cell: Cell, inside: bool = False) -> StepGraph:
    z, h = (torch.randn(3, H, requires_grad=True) for _ in range(2))
    return StepGraph(traced(cell, z, (h,), settled(cell, z, (h,))), 1, inside)


def names(nodes: Iterable[fx.Node]) -> list[str]:
    return sorted(node.target._schema.name.split("::")[1] for node in nodes if node.op == "call_function")


def test_elmans_step_and_its_gradient() -> None:
    graph = graph_of(Elman())
    assert graph.y is graph.new_state[0]
    assert "t" in names(graph.constant)
    assert names(graph.primal & graph.above([graph.y])) == ["add", "mm", "tanh"]
    assert graph.ahead | graph.drawn == set()
    assert names(graph.leading(graph.to_state)) == ["add", "mm", "tanh_backward"]
    assert graph.from_y == {graph.at_y}
    assert "mm" in names(graph.leading(graph.to_tensors) - graph.leading(graph.to_state))


@pytest.mark.parametrize(
    ("inside", "ahead"), [(False, ["mm", "relu", "sigmoid", "tanh"]), (True, ["mm", "relu"])]
)
def test_inside_of_what_needs_no_past_products_alone_are_ahead_and_what_leads_to_them(
    inside: bool, ahead: list[str]
) -> None:
    graph = graph_of(ByInput(), inside)
    assert names(graph.ahead) == ahead
    assert names(graph.primal & graph.above([graph.y])) == [
        "add",
        "exp",
        "mm",
        "mul",
        "relu",
        "sigmoid",
        "tanh",
    ]


def test_what_random_numbers_lead_to_is_drawn() -> None:
    graph = graph_of(Noisy())
    assert names(graph.drawn) == ["add", "rand_like", "sigmoid"]
    assert names(graph.random) == ["rand_like"]
    assert graph.ahead == set()


def test_above_and_below() -> None:
    graph = graph_of(ByInput())
    (exponential,) = (node for node in graph.primal if names([node]) == ["exp"])
    (gate,) = (node for node in graph.primal if names([node]) == ["sigmoid"])
    above = graph.above([exponential])
    assert names(above & graph.primal) == ["add", "exp", "mm", "mul", "relu", "sigmoid", "tanh"]
    assert graph.above([exponential], above - {exponential}) == {exponential}
    assert names(graph.below([gate]) & graph.primal) == ["add", "exp", "mul", "sigmoid"]
    assert exponential in graph.below([graph.z, *graph.state])


def test_what_is_read_is_neither_a_parts_own_nor_constant() -> None:
    graph = graph_of(Elman())
    assert graph.reads(graph.primal) == {graph.z, *graph.state}
    assert graph.ordered(graph.reads(graph.primal)) == [graph.z, *graph.state]


def test_results_are_made_of_what_is_done_and_of_what_is_given() -> None:
    graph = graph_of(ByInput())
    (gate,) = (node for node in graph.primal if names([node]) == ["sigmoid"])
    assert graph.sources([graph.y], set()) == {graph.z, *graph.state}
    assert graph.sources([graph.y], {gate}) == {graph.z, *graph.state, gate}
    assert graph.sources([gate], {gate}) == {gate}


def test_what_is_made_elementwise_of_what_is_there_can_be_remade_and_a_product_is_not() -> None:
    graph = graph_of(ByInput())
    made = {names([node])[0]: node for node in graph.primal & graph.above([graph.y])}
    assert graph.can_be_remade(made["tanh"], set())
    assert graph.can_be_remade(made["exp"], {made["add"]})
    assert not graph.can_be_remade(made["sigmoid"], set())
    assert graph.can_be_remade(made["sigmoid"], {made["mm"]})
    assert not graph.can_be_remade(made["mm"], {made["relu"]})
    assert not graph.can_be_remade(made["mul"], {made["sigmoid"]})  # for the state before a step is not kept
    assert graph.can_be_remade(made["mul"], {made["sigmoid"], made["add"]})  # and here is, as that after it


def test_what_is_joined_of_what_is_there_can_be_remade() -> None:
    @final
    class Joined(Square):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(torch.cat((z @ self.weight, state[0]), -1)).sum(-1, keepdim=True).expand_as(z)
            return h, (h,)

    graph = graph_of(Joined())
    made = {names([node])[0]: node for node in graph.primal & graph.above([graph.y])}
    assert not graph.can_be_remade(made["cat"], {made["mm"]})
    assert graph.can_be_remade(made["cat"], {made["mm"], graph.new_state[0]})


def test_values_that_are_read_twice_are_looked_at_once() -> None:
    """Sixty times over, which else would be without end."""

    @final
    class Twice(Square):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            for _ in range(60):
                z = torch.sin(z) * z
            return z + state[0], (z + state[0],)

    graph = graph_of(Twice())
    (last, *_) = graph.y.all_input_nodes
    assert graph.can_be_remade(last, set())


def test_a_part_is_whole_with_all_results_of_its_operations() -> None:
    @final
    class Halves(Square):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            one, other = torch.split(z, H // 2, 1)
            h = state[0] * torch.cat((other, one), 1)
            return h, (h,)

    graph = graph_of(Halves())
    (split,) = (node for node in graph.nodes if node.op == "call_function" and "split" in str(node.target))
    assert whole({split}) == {split, *split.users}
    assert len(whole({split})) == 3
