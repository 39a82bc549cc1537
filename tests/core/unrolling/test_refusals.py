"""What is run step by step, and when that is said."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from rnnx.core.cell import Cell
from rnnx.core.engine import fold, loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling.plans import StepByStepWarning
from tests.core.unrolling.against_the_loop import (
    LENGTHS,
    Elman,
    H,
    N,
    P,
    T,
    as_the_loop,
    given_to,
    plan_for,
    results,
    same,
    warned,
)

pytestmark = pytest.mark.usefixtures("doubles")


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


def test_a_fold_without_a_plan_is_run_level_by_level_and_said_once() -> None:
    class Undecided(Elman):
        def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
            return super().fold(z, (children[0] * (1 if z.sum() > 0 else -1),), mask)

    chain = torch.tensor([[1, 2, 3, -1]])
    message = "cell Undecided is run level by level, which is slower: its fold decides by the values"
    with pytest.warns(StepByStepWarning, match=message):
        fold(Undecided(), torch.randn(1, 4, P), chain)
    fold(Undecided(), torch.randn(1, 4, P), chain)


def test_an_attribute_that_cannot_be_compared_is_refused() -> None:
    class Odd(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.options = deque([0.5])  # has no hash

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(z * self.options[0], state)

    cell = Odd()
    (said,) = warned(cell)
    assert "cell Odd" in said
    assert "attribute of type deque; make it a buffer" in said
    cell.options[0] = 2.0
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


@pytest.mark.filterwarnings("ignore:.torch.jit.script")  # torch's own, in its forward mode
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


@pytest.mark.filterwarnings("ignore:.torch.jit.script")  # torch's own, in its forward mode
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
            next(steps)
            return super().step(z, state)

    steps = count()  # what becomes of it is not seen
    cell = Asked()
    x, state = given_to(cell)
    results(scan, cell, x, state)
    before = next(steps)
    results(scan, cell, x, state)
    assert next(steps) == before + 1
    results(loop, cell, x, state)
    assert next(steps) == before + 2 + len([4, 3, 3, 1, 1])


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
