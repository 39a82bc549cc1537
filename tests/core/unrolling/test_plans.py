"""What a plan is shared by, and what of a cell it keeps alive."""

from __future__ import annotations

import copy
import gc
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling.plans import plan_of
from tests.core.unrolling.against_the_loop import (
    Elman,
    H,
    N,
    P,
    T,
    as_the_loop,
    given_to,
    plan_for,
    results,
    warned,
)

pytestmark = pytest.mark.usefixtures("doubles")


def test_cells_that_differ_in_their_weights_share_a_plan() -> None:
    class Shared(Elman):
        pass

    one, other = Shared(), Shared()
    copied = copy.deepcopy(one)
    plan = plan_for(one)
    assert plan is not None
    assert plan_for(other) is plan
    assert plan_for(copied) is plan
    for cell in (one, other, copied):
        as_the_loop(cell)


def test_cells_of_two_classes_do_not() -> None:
    class One(Elman):
        pass

    class Other(Elman):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, (h,) = super().step(z, state)
            return y, (-h,)

    assert plan_for(One()) is not plan_for(Other())
    as_the_loop(One())
    as_the_loop(Other())


@dataclass(frozen=True)
class Rates:
    """An option that is an object, and as good as another of the same numbers."""

    rate: float


class Optional(Elman):
    """A step that its options change."""

    def __init__(self) -> None:
        super().__init__()
        self.rate: float | int | bool = 1.0
        self.name, self.several, self.table = "tanh", [1.0, 2.0], {"scale": (1.0, {2})}
        self.object = Rates(1.0)
        self.function = torch.sin

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.function(self.input(z) + self.rate * self.recurrent(state[0]) * self.object.rate)
        h = (torch.tanh if self.name == "tanh" else torch.sigmoid)(h) * sum(self.several)
        h = h * self.table["scale"][0] * sum(self.table["scale"][1])
        return F.dropout(h, 0.0, self.training) * (2 if self.training else 3), (h / 4,)


def mutated(cell: Optional) -> None:
    cell.several.append(3.0)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "a number": lambda cell: setattr(cell, "rate", 0.3),
    "a number of another type": lambda cell: setattr(cell, "rate", True),
    "a name": lambda cell: setattr(cell, "name", "sigmoid"),
    "a list": lambda cell: setattr(cell, "several", [2.0, 1.5]),
    "a list that is changed": mutated,
    "a table that is changed": lambda cell: cell.table.update(scale=(2.0, {2})),
    "a set that is changed": lambda cell: cell.table["scale"][1].add(5),
    "an object": lambda cell: setattr(cell, "object", Rates(0.25)),
    "a function": lambda cell: setattr(cell, "function", torch.cos),
    "evaluation": lambda cell: cell.eval(),
    "a module": lambda cell: setattr(cell, "recurrent", nn.Sequential(nn.Linear(H, H), nn.Tanh())),
    "a module's option": lambda cell: setattr(cell, "recurrent", nn.Linear(H, H, bias=False)),
    "a frozen weight": lambda cell: cell.recurrent.weight.requires_grad_(False),
    "a frozen cell": lambda cell: cell.requires_grad_(False),
    "types": lambda cell: cell.float(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_changed_at_a_cell_takes_effect(change: Callable[[Any], Any]) -> None:
    class Changed(Optional):
        pass

    cell = Changed()
    given = given_to(cell)
    as_the_loop(cell, given)
    before = plan_for(cell)
    assert before is not None
    change(cell)
    kind = cell.input.weight.dtype
    x, state = (tensor.detach().to(kind).requires_grad_() for tensor in (given[0], given[1][0]))
    found, wanted = (results(way, cell, x, (state,)) for way in (scan, loop))
    near = {"rtol": 1e-10, "atol": 1e-12} if kind == torch.double else {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(found, wanted, **near)
    assert plan_of(cell, x[:, 0], (state,)) not in (None, before)


def test_an_option_that_is_changed_back_is_no_new_plan() -> None:
    class Undecided(Optional):
        pass

    cell = Undecided()
    first = plan_for(cell)
    cell.rate = 0.3
    second = plan_for(cell)
    cell.rate = 1.0
    assert plan_for(cell) is first
    assert second is not first


def test_each_kind_of_data_has_its_own_plan() -> None:
    class Adding(Cell):
        input_size, output_size, state_sizes = P, P, (P,)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return z * state[0], (z + state[0],)

    cell = Adding()
    z, h = torch.randn(2, P), (torch.randn(2, P),)
    single, narrow = (z.float(), (h[0].float(),)), (z[:, :1], h)
    plans = [plan_of(cell, z, h), plan_of(cell, *single), plan_of(cell, *narrow)]
    plans.append(plan_of(cell, z.clone().requires_grad_(), h))
    with torch.autocast("cpu", torch.bfloat16):
        plans.append(plan_of(cell, *single))
    assert None not in plans
    assert len({id(plan) for plan in plans}) == 5
    assert plan_of(cell, torch.randn(9, P), (torch.randn(9, P),)) is plans[0]


def tied(cell: Any, times: int) -> None:
    cell.layers = nn.ModuleList([cell.recurrent] * times)


def named(cell: Any, tanh: str, sigmoid: str) -> None:
    cell.add_module(tanh, nn.Tanh())
    cell.add_module(sigmoid, nn.Sigmoid())


def aliased(cell: Any, which: str) -> None:
    cell.third = cell.get_parameter(which)


class Structured(Elman):
    """What modules it has, and under which names, is all that tells two of them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Parameter(torch.randn(H)) for _ in range(2))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        children = dict(self.named_children())
        h = children.get("a", nn.Identity())(self.input(z) + state[0])
        h = children.get("b", nn.Identity())(2 * h + 1)
        for layer in children.get("layers", ()):
            h = torch.tanh(layer(h))
        if "third" in self._parameters:
            h = self.first * torch.sin(self.second + self.third * h)
        return h + self.recurrent(state[0]), (torch.tanh(h),)


STRUCTURES: dict[str, tuple[Callable[[Any], None], Callable[[Any], None]]] = {
    "a layer once or twice more": (lambda cell: tied(cell, 2), lambda cell: tied(cell, 3)),
    "two modules by each other's names": (
        lambda cell: named(cell, "a", "b"),
        lambda cell: named(cell, "b", "a"),
    ),
    "a weight that is another one's": (
        lambda cell: aliased(cell, "first"),
        lambda cell: aliased(cell, "second"),
    ),
}


@pytest.mark.parametrize(("one", "other"), STRUCTURES.values(), ids=STRUCTURES)
def test_cells_of_two_structures_do_not_share_a_plan(
    one: Callable[[Any], None], other: Callable[[Any], None]
) -> None:
    class Built(Structured):
        pass

    for build in (one, other):
        cell = Built()
        build(cell)
        as_the_loop(cell)
        assert plan_for(cell) is not None


# What a plan does not do


@pytest.mark.parametrize("attribute", ["none", "a method", "a tensor", "a module in a list"])
def test_a_plan_keeps_no_cell_and_no_tensor_alive(attribute: str) -> None:
    class Short(Elman):
        def helper(self, x: Tensor) -> Tensor:
            return x

    cell = Short()
    if attribute == "a method":
        cell.way = cell.helper
    elif attribute == "a tensor":
        cell.cached = torch.randn(3)
    elif attribute == "a module in a list":
        cell.others = [nn.Linear(2, 2)]
    x, state = given_to(cell)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results(scan, cell, x, state)
    alive = [weakref.ref(thing) for thing in (cell, x, *state, *cell.parameters())]
    if attribute == "a tensor":
        alive.append(weakref.ref(cell.cached))
    if attribute == "a module in a list":
        alive.append(weakref.ref(cell.others[0]))
    del cell, x, state
    gc.collect()
    assert [ref() for ref in alive] == [None] * len(alive)


def test_a_layer_that_has_two_names_is_planned() -> None:
    class Listed(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.both = [self.input, self.recurrent]

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.both[0](z) + self.both[1](state[0]))
            return h, (h,)

    cell = Listed()
    assert plan_for(cell) is not None
    assert warned(cell) == []


def test_numbers_of_16_bits_have_a_plan_too() -> None:
    class Half(Elman):
        pass

    cell = Half().half()
    x = torch.randn(N, T, P, dtype=torch.half)
    assert plan_of(cell, x[:, 0], cell.initial_state(N, x)) is not None
