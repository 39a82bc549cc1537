from __future__ import annotations

import copy
import gc
import random
import sys
import threading
import warnings
import weakref
from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.plans import plan_of

N, T, P, H = 4, 5, 3, 4
LENGTHS = torch.tensor([5, 3, 1, 3])

pytestmark = pytest.mark.usefixtures("doubles")


class Elman(Cell, ABC):
    """Elman's network; each test makes a class of its own of it, as what is found is kept by class."""

    input_size, output_size, state_sizes = P, H, (H,)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.recurrent = nn.Linear(P, H), nn.Linear(H, H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]))
        return h, (h,)


def given_to(cell: Cell) -> tuple[Tensor, State]:
    x = torch.randn(N, T, cell.input_size, requires_grad=True)
    return x, tuple(torch.randn(N, size, requires_grad=True) for size in cell.state_sizes)


def results(way: Any, cell: Cell, x: Tensor, state: State, lengths: Tensor | None = LENGTHS) -> list[Tensor]:
    """The outputs and all gradients."""
    y, last = way(cell, x, lengths, state)
    of = [tensor for tensor in (x, *state, *cell.parameters()) if tensor.requires_grad]
    ends = [end for end in (y, *last) if end.requires_grad]
    end = torch.stack([(o * torch.linspace(-1, 1, o.numel()).view(o.shape)).sum() for o in ends]).sum()
    return [y, *last, *torch.autograd.grad(end, of, allow_unused=True, materialize_grads=True)]


def same(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12, equal_nan=True)


def as_the_loop(cell: Cell, given: tuple[Tensor, State] | None = None) -> None:
    x, state = given or given_to(cell)
    same(results(scan, cell, x, state), results(loop, cell, x, state))


def plan_for(cell: Cell) -> Plan | None:
    x, state = given_to(cell)
    return plan_of(cell, x[:, 0], state)


def warned(cell: Cell, given: tuple[Tensor, State] | None = None) -> list[str]:
    """What is said of a cell that is run twice, its results being those of the loop."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        as_the_loop(cell, given)
        as_the_loop(cell, given)
    return [str(warning.message) for warning in said]


# One plan for all cells that would have the same


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


def test_making_a_plan_draws_nothing_and_changes_no_gradient() -> None:
    class Quiet(Elman):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, last = super().step(F.dropout(z, 0.5, self.training), state)
            return y, last

    cell = Quiet()
    before = torch.get_rng_state()
    assert plan_for_fixed(cell) is not None
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in cell.parameters())


def plan_for_fixed(cell: Cell) -> Plan | None:
    return plan_of(cell, torch.zeros(2, cell.input_size), tuple(torch.zeros(2, s) for s in cell.state_sizes))


def test_making_a_plan_leaves_a_buffer_that_the_step_counts_in_as_the_loop_does() -> None:
    class Averaging(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(H)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.input(z) + self.norm(self.recurrent(state[0])))
            return h, (h,)

    cell = Averaging()
    other = copy.deepcopy(cell)
    x, state = given_to(cell)
    with pytest.warns(UserWarning, match="Averaging"):
        found = results(scan, cell, x, state, None)
    same(found, results(loop, other, x, state, None))
    same(dict(cell.named_buffers()), dict(other.named_buffers()))


# What is run step by step, with one warning


def deciding(cell: Any, z: Tensor, h: Tensor) -> Tensor:
    return h if z.sum() > 0 else -h


def attribute(cell: Any, z: Tensor, h: Tensor) -> Tensor:
    return h * cell.outside


def counting(cell: Any, z: Tensor, h: Tensor) -> Tensor:
    cell.calls += 1
    return h


def sorting(cell: Any, z: Tensor, h: Tensor) -> Tensor:
    return h[:, h[0] > -9]


def unlike(cell: Any, z: Tensor, h: Tensor) -> Tensor:
    return h + cell.unlike["x"].sum()


def doubling(cell: Any, z: Tensor, h: Tensor) -> Tensor:
    return h * float(len(z) ** 2)


REFUSED: dict[str, tuple[Callable[..., Tensor], str]] = {
    "decides by a value": (deciding, "decides by the values of a tensor"),
    "picks by a mask": (sorting, "decides by the values of a tensor"),
    "reads a plain tensor": (attribute, "reads a tensor that is no parameter"),
    "changes an attribute": (counting, "changes its own attributes"),
    "computes with the number of rows": (doubling, "computes with the number of rows"),
}


@pytest.mark.parametrize(("function", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_plan_is_run_step_by_step_and_said_once(
    function: Callable[..., Tensor], message: str
) -> None:
    class Refused(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            if function is attribute:
                self.outside = torch.ones(H)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(z, (function(self, z, state[0]),))

    (said,) = warned(Refused())
    assert "cell Refused is run step by step" in said
    assert message in said
    assert plan_for(Refused()) is None


def test_an_attribute_that_cannot_be_compared_is_refused() -> None:
    class Odd(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.options = SimpleNamespace(rate=0.5)  # has no hash

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(z * self.options.rate, state)

    cell = Odd()
    (said,) = warned(cell)
    assert "cell Odd" in said
    assert "SimpleNamespace" in said
    cell.options.rate = 2.0
    assert warned(cell) == []


class Knob:
    """Compared by what it is, not by its number."""

    rate = 0.5


def test_an_object_that_is_changed_within_takes_effect() -> None:
    class Knobbed(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.knob = Knob()

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(z * self.knob.rate, state)

    cell = Knobbed()
    assert len(warned(cell)) <= 1
    cell.knob.rate = 2.0
    assert len(warned(cell)) <= 1


def test_a_state_that_is_written_over_is_refused() -> None:
    class Writing(Cell):
        input_size, output_size, state_sizes = P, P, (P,)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            state[0].add_(z)
            return state[0] * 2, state

    cell, x = Writing(), torch.randn(N, T, P)

    def run(way: Any) -> list[Tensor]:
        y, last = way(cell, x, LENGTHS, (torch.zeros(N, P),))
        return [y, *last]

    with pytest.warns(UserWarning, match="cell Writing is run step by step.*writes over"):
        first = run(scan)
    same(first, run(loop))
    same(run(scan), run(loop))  # a second warning would be an error


MIXING: dict[str, Callable[[Tensor], Tensor]] = {
    "their mean": lambda h: h - h.mean(0),
    "a softmax over them": lambda h: h.softmax(0),
    "their running sum": lambda h: h.cumsum(0),
    "their products": lambda h: h @ h.t() @ h / 9,
    "their first": lambda h: h + h[:1],
    "the next one": lambda h: h.roll(1, 0),
    "their order turned round": lambda h: h.flip(0),
    "their largest": lambda h: h - h.amax(0),
    "their norm": lambda h: h / h.norm(),
    "their order": lambda h: h.sort(0).values,
    "their normalisation": lambda h: F.batch_norm(h, None, None, training=True),
}


@pytest.mark.parametrize("mix", MIXING.values(), ids=MIXING)
def test_what_mixes_rows_gives_what_the_loop_gives(mix: Callable[[Tensor], Tensor]) -> None:
    """Step by step and said so, or taken apart and right."""

    class Mixing(Elman):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(z, (mix(self.recurrent(state[0])),))

    cell = Mixing()
    x, state = given_to(cell)
    lengths = torch.tensor([5, 3, 2, 5])  # two rows at least, as a normalisation wants
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = [results(scan, cell, x, state, lengths) for _ in range(2)]
        assert len(said) == (plan_for(cell) is None)
    wanted = results(loop, cell, x, state, lengths)
    same(found[0], wanted)
    same(found[1], wanted)


def sliced(cell: Any, z: Tensor, h: Tensor) -> Tensor:
    new = torch.zeros_like(h)
    new[:, 1:3] = h[:, :2]
    return new


ODD: dict[str, Callable[[Any, Tensor, Tensor], Tensor]] = {
    "a logarithm": lambda cell, z, h: h + z[:, :1].log(),
    "a root that has none at zero": lambda cell, z, h: h + z[:, :1].sqrt() / 9,
    "torch's cell, which writes over its own": lambda cell, z, h: cell.gru(z, h),
    "a layer over a part of each row": lambda cell, z, h: cell.part(h.view(len(h), 2, 2)).flatten(1),
    "a slice written": sliced,
    "columns by a list": lambda cell, z, h: h[:, [2, 0, 1, 3]],
    "columns by a buffer": lambda cell, z, h: h[:, cell.places],
    "the columns backwards": lambda cell, z, h: h.flip(1),
    "a table": lambda cell, z, h: h + F.embedding(z[:, 0].clamp(0, 3).long(), cell.recurrent.weight),
    "a table that some inputs fall out of": lambda cell, z, h: (
        h + F.embedding(z[:, 0].long(), cell.recurrent.weight)
    ),
    "a draw for nobody": lambda cell, z, h: h + 0 * len(torch.rand(3)),
    "rows below one another": lambda cell, z, h: h.reshape(-1, 2).tanh().reshape(-1, H),
}


@pytest.mark.parametrize("function", ODD.values(), ids=ODD)
def test_odd_steps_give_what_the_loop_gives(function: Callable[[Any, Tensor, Tensor], Tensor]) -> None:
    """Step by step and said so, or taken apart and right."""

    class Strange(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("places", torch.tensor([2, 0, 3, 1]))
            self.gru, self.part = nn.GRUCell(P, H), nn.Linear(2, 2)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.input(z) + self.recurrent(function(self, z, state[0])))
            return h, (h,)

    cell = Strange()
    x, state = given_to(cell)
    x = x.detach().abs().clamp(0.1, 3.5).requires_grad_()
    ways = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for way in (scan, scan, loop):
            torch.manual_seed(2)
            ways.append([*results(way, cell, x, state), torch.rand(())])
    assert len(said) <= 1
    same(ways[0], ways[2])
    same(ways[1], ways[2])


def test_a_clock_of_whole_numbers() -> None:
    class Whole(Elman):
        state_sizes, bookkeeping = (H, 1), (1,)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h, clock = state
            h = torch.where(clock % 2 == 0, torch.tanh(self.input(z) + self.recurrent(h)), h)
            return h, (h, clock + 1)

    cell = Whole()
    x, (h, _) = given_to(cell)
    state = h, torch.zeros(N, 1, dtype=torch.long)
    ways = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for way in (scan, loop):
            y, last = way(cell, x, LENGTHS, state)
            ways.append((y, *last, *torch.autograd.grad((y * y).sum(), [x, h, *cell.parameters()])))
    assert len(said) <= 1
    assert ways[0][2].flatten().tolist() == [5, 3, 1, 3]
    same(*ways)


def test_what_is_wrong_in_a_call_is_said_as_by_the_loop_and_held_against_nobody() -> None:
    class Right(Elman):
        pass

    cell = Right()
    with pytest.raises(RuntimeError, match="dtype"):
        scan(cell, torch.zeros(2, 3, P, dtype=torch.float))
    as_the_loop(cell)
    assert plan_for(cell) is not None


# What is run step by step without a word


class Calls:
    """How often a hook was called."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: Any) -> None:
        self.count += 1


HOOKS: dict[str, Callable[[nn.Module, Any], Any]] = {
    "forward": lambda module, calls: module.register_forward_hook(calls),
    "before": lambda module, calls: module.register_forward_pre_hook(calls),
    "backward": lambda module, calls: module.register_full_backward_hook(calls),
    "before backward": lambda module, calls: module.register_full_backward_pre_hook(calls),
}


@pytest.mark.parametrize("register", HOOKS.values(), ids=HOOKS)
@pytest.mark.parametrize("planned_before", [False, True])
def test_hooks_within_are_called_as_often_as_by_the_loop(
    register: Callable[[nn.Module, Any], Any], planned_before: bool
) -> None:
    class Hooked(Elman):
        pass

    cell = Hooked()
    x, state = given_to(cell)
    if planned_before:
        as_the_loop(cell, (x, state))
    counts = []
    for way in (scan, loop):
        calls = Calls()
        handle = register(cell.recurrent, calls)
        results(way, cell, x, state)
        handle.remove()
        counts.append(calls.count)
    assert counts == [T, T]
    assert plan_for(cell) is not None


def test_hooks_on_every_module_are_called_as_often_as_by_the_loop() -> None:
    class Watched(Elman):
        pass

    cell, counts = Watched(), []
    x, state = given_to(cell)
    as_the_loop(cell, (x, state))
    for way in (scan, loop):
        calls = Calls()
        handle = nn.modules.module.register_module_forward_hook(calls)
        results(way, cell, x, state)
        handle.remove()
        counts.append(calls.count)
    assert counts == [2 * T, 2 * T]


TRANSFORMED: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]] = {
    "grad": lambda read, x: torch.func.grad(lambda x: read(x).square().sum())(x),
    "jacrev": lambda read, x: torch.func.jacrev(read)(x),
    "jacfwd": lambda read, x: torch.func.jacfwd(read)(x),
    "jvp": lambda read, x: torch.func.jvp(read, (x,), (x.cos(),))[1],
    "vmap": lambda read, x: torch.func.vmap(read)(torch.stack((x, x.cos()))),
    "vmap of grad": lambda read, x: torch.func.vmap(torch.func.grad(lambda x: read(x).square().sum()))(
        torch.stack((x, x.cos()))
    ),
    "grad of vmap": lambda read, x: torch.func.grad(lambda x: torch.func.vmap(read)(x.unsqueeze(0)).sum())(x),
    "hessian": lambda read, x: torch.func.hessian(lambda x: read(x[:1]).sum())(x),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own, in its forward mode
@pytest.mark.parametrize("transform", TRANSFORMED.values(), ids=TRANSFORMED)
@pytest.mark.parametrize("planned_before", [False, True])
def test_within_a_transformation_of_functions_as_the_loop(
    transform: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor], planned_before: bool
) -> None:
    class Transformed(Elman):
        pass

    cell = Transformed()
    x = torch.randn(2, 3, P)
    if planned_before:
        scan(cell, x)

    def read(way: Any) -> Callable[[Tensor], Tensor]:
        return lambda x: way(cell, x, None, (torch.zeros(len(x), H),))[0]

    same(transform(read(scan), x), transform(read(loop), x))
    assert plan_for(cell) is not None


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own, in its forward mode
def test_forward_mode_differentiation_as_the_loop() -> None:
    class Dual(Elman):
        pass

    cell, found = Dual(), []
    x, v = torch.randn(N, T, P), torch.randn(N, T, P)
    state = (torch.zeros(N, H),)
    for way in (scan, loop):
        with forward_ad.dual_level():
            y, _ = way(cell, forward_ad.make_dual(x, v), LENGTHS, state)
            found.append(forward_ad.unpack_dual(y).tangent)
    assert found[0] is not None
    same(*found)


def test_within_a_compiled_function_as_the_loop() -> None:
    class Compiled(Elman):
        pass

    cell = Compiled()
    x, state = given_to(cell)
    compiled = torch.compile(scan, backend="eager")
    same(results(compiled, cell, x, state, None), results(loop, cell, x, state, None))


@pytest.mark.parametrize("planned_before", [False, True])
def test_without_numbers_as_the_loop(planned_before: bool) -> None:
    """Tensors that have a shape only; afterwards there is a plan for real ones."""

    class Hollow(Elman):
        pass

    if planned_before:
        assert plan_for(Hollow()) is not None
    with FakeTensorMode():
        y, (h,) = scan(Hollow(), torch.empty(N, T, P))
        assert (y.shape, h.shape) == ((N, T, H), (N, H))
    y, (h,) = scan(Hollow().to("meta"), torch.empty(N, T, P, device="meta"))
    assert (y.shape, h.shape) == ((N, T, H), (N, H))
    assert plan_for(Hollow()) is not None


@pytest.mark.parametrize("planned_before", [False, True])
def test_what_counts_operations_counts_those_of_the_loop(planned_before: bool) -> None:
    class Counted(Elman):
        pass

    cell, counts = Counted(), []
    x, state = given_to(cell)
    if planned_before:
        as_the_loop(cell, (x, state))
    for way in (scan, loop):
        with FlopCounterMode(display=False) as counter:
            results(way, cell, x, state)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1]


def test_a_plan_is_asked_for_as_a_scan_asks() -> None:
    """That the tests here do not compare the loop with itself."""

    class Asked(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.seen: Sequence[int] = ()

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            steps.append(len(z))
            return super().step(z, state)

    steps: list[int] = []
    cell = Asked()
    x, state = given_to(cell)
    results(scan, cell, x, state)
    steps.clear()
    results(scan, cell, x, state)
    assert steps == []
    results(loop, cell, x, state)
    assert steps == [4, 3, 3, 1, 1]


# What a plan could hold wrongly


class Warmed(Elman):
    """A part that is written into a view, and counts for nothing at first."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("share", torch.zeros(()))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        part = torch.zeros_like(state[0])
        part[:, :2] = self.share * state[0][:, 2:]
        h = torch.tanh(self.input(z) + self.recurrent(state[0]) + part)
        return h, (h,)


class Gated(Elman):
    """A gate that is closed at first."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(()))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.share * self.recurrent(state[0]).sin())
        return h, (h,)


class Circular(Gated):
    """As before, with what torch's own gradient of a Fourier transform writes into a view."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        turned = torch.fft.irfft(torch.fft.rfft(state[0]) * torch.fft.rfft(self.input.bias), n=H)
        h = torch.tanh(self.input(z) + self.recurrent(state[0]) + self.share * turned)
        return h, (h,)


@pytest.mark.parametrize("kind", [Warmed, Circular, Gated])
@pytest.mark.filterwarnings("ignore:.*is run step by step")
def test_what_counts_for_nothing_at_first_counts_later(kind: type[Elman]) -> None:
    cell = type("Own", (kind,), {})()
    as_the_loop(cell)
    cell.share.data.fill_(1.0)
    as_the_loop(cell)


@pytest.mark.filterwarnings("ignore:.*is run step by step")
def test_what_is_written_into_a_view_is_there_under_autocast() -> None:
    class Shifted(Elman):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            shift = torch.zeros_like(state[0])
            shift[:, 0] = 0.03
            h = torch.tanh(self.input(z) + self.recurrent(state[0])) + shift
            return h, (h,)

    cell, x = Shifted().float(), torch.randn(N, T, P, dtype=torch.float32)
    state = cell.initial_state(N, x)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found, wanted = (way(cell, x, None, state)[0] for way in (scan, loop))
    assert (found - wanted).float()[..., 0].mean().abs() < 0.005


def test_a_memory_that_starts_at_minus_infinity() -> None:
    class Logarithmic(Elman):
        state_sizes = (H, H)

        def initial_state(self, batch: int, like: Tensor) -> State:
            return like.new_zeros(batch, H), like.new_full((batch, H), -torch.inf)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h, memory = state
            forget = torch.sigmoid(self.recurrent(h))
            memory = torch.logaddexp(memory * (1 - forget), self.input(z))
            h = torch.tanh(memory)
            return h, (h, memory)

    cell = Logarithmic()
    x, _ = given_to(cell)
    state = cell.initial_state(N, x)
    assert plan_for(cell) is not None
    same(scan(cell, x, None, state), loop(cell, x, None, state))
    assert scan(cell, x, None, state)[0].isfinite().all()


class Holding(ABC):  # noqa: B024
    def __init__(self) -> None:
        self.rate = 1.0


def test_an_object_of_an_abstract_class_that_is_changed_within_takes_effect() -> None:
    class Held(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.held = Holding()

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.held.rate * (self.input(z) + self.recurrent(state[0])))
            return h, (h,)

    cell = Held()
    as_the_loop(cell)
    cell.held.rate = 0.3
    as_the_loop(cell)


def test_a_class_that_is_changed_takes_effect() -> None:
    class Changing(Elman):
        rate = 1.0

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.rate * (self.input(z) + self.recurrent(state[0])))
            return h, (h,)

    cell = Changing()
    as_the_loop(cell)
    Changing.rate = 0.3
    as_the_loop(cell)
    Changing.step = lambda self, z, state: (torch.relu(self.input(z)), state)  # type: ignore[method-assign]
    as_the_loop(cell)


@pytest.mark.filterwarnings("ignore:.*is run step by step")
def test_what_a_step_leaves_at_its_cell_is_what_the_loop_leaves() -> None:
    class Leaving(Elman):
        count: Tensor
        seen: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.last: Tensor | None = None
            self.register_buffer("count", torch.zeros(()))
            self.register_buffer("seen", torch.zeros(2))

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            self.count = self.count + 1
            self.seen[0] += 1
            self.last = z.detach()
            return super().step(z, state)

    for way in (scan, loop):
        cell = type("Own", (Leaving,), {})()
        x, state = given_to(cell)
        way(cell, x, None, state)
        assert (float(cell.count), cell.seen.tolist()) == (T, [T, 0])
        assert cell.last is not None
        assert torch.equal(cell.last, x[:, -1])


def by_numpy(z: Tensor) -> bool:
    return bool(z.detach().numpy().max() > 10)


def by_list(z: Tensor) -> bool:
    return max(z.detach().flatten().tolist()) > 10


def by_chance(z: Tensor) -> bool:
    return random.random() < 0.05


def by_numpys_chance(z: Tensor) -> bool:
    return bool(np.random.rand() < 0.05)


@pytest.mark.parametrize("decide", [by_numpy, by_list, by_chance, by_numpys_chance])
def test_a_step_that_decides_by_what_no_plan_sees_is_run_as_it_is(decide: Callable[[Tensor], bool]) -> None:
    class Deciding(Elman):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h, _ = super().step(z, state)
            h = 2 * h if decide(z) else h
            return h, (h,)

    cell = Deciding()
    with pytest.warns(UserWarning, match="is run step by step"):
        assert plan_for(cell) is None
    assert plan_for(cell) is None


def test_what_only_the_projection_reads_may_change_between_forward_and_backward() -> None:
    class Normed(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(P)

        def project(self, x: Tensor) -> Tensor:
            return self.norm(x)

    cell = Normed()
    x, state = given_to(cell)
    ends = [scan(cell, x, None, state)[0].sum() for _ in range(2)]
    (ends[0] + ends[1]).backward()
    found = cell.recurrent.weight.grad
    cell.zero_grad()
    wanted = torch.autograd.grad(2 * loop(cell, x, None, state)[0].sum(), cell.recurrent.weight)[0]
    same(found, wanted)


def test_a_state_that_lies_in_memory_as_it_likes() -> None:
    class Headed(Elman):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            rows = len(z)
            mixed = (state[0].reshape(2 * rows, H // 2) @ self.recurrent.weight[:2, :2]).reshape(rows, H)
            h = torch.tanh(self.input(z) + mixed)
            return h, (h,)

    cell = Headed()
    x, _ = given_to(cell)
    as_the_loop(cell, (x, (torch.randn(N, 7, H)[:, -1].requires_grad_(),)))
    as_the_loop(cell, (x, (torch.randn(1, H).expand(N, -1).requires_grad_(),)))


def test_a_plan_that_is_made_in_another_thread_leaves_the_cell_alone() -> None:
    class Shared(Elman):
        pass

    def evaluate() -> None:
        with torch.no_grad():
            scan(cell, x)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(20):
            cell = Shared()
            cell.number = number  # each has a plan of its own
            x, own = torch.randn(N, T, P), cell.recurrent.weight
            scan(cell, x)
            thread = threading.Thread(target=evaluate)
            thread.start()
            while thread.is_alive():
                cell.zero_grad()
                scan(cell, x)[0].sum().backward()
                assert own.grad is not None
            thread.join()
            assert cell.recurrent.weight is own
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize(("calls", "said"), [(1, 1), (3, 0)])
def test_a_cell_that_is_another_at_each_call_is_run_step_by_step(calls: int, said: int) -> None:
    class Annealed(Elman):
        rate = 1.0

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.rate * (self.input(z) + self.recurrent(state[0])))
            return h, (h,)

    cell = Annealed()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(30):
            cell.rate = 1 / (1 + number)
            for _ in range(calls):
                as_the_loop(cell)
    assert len(caught) == said
    assert all("changes from call to call; make it a buffer" in str(warning.message) for warning in caught)


def test_making_a_plan_leaves_the_buffers_of_a_module_that_has_two_names() -> None:
    class Normed(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(P)
            self.norms = {"z": self.norm}

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(self.norms["z"](z), state)

    found = []
    for way in (scan, loop):
        torch.manual_seed(0)
        cell = Normed()
        x, state = given_to(cell)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y, _ = way(cell, x, None, state)
        found.append([y, cell.norm.running_var, cell.norm.num_batches_tracked])
    same(*found)


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
