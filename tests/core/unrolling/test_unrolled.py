from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, final

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.layers import Layer
from rnnx.core.nets.weight_drop import WeightDrop
from rnnx.core.state import State
from rnnx.core.unrolling.plans import plan_of
from rnnx.core.unrolling.steps import step_by_step
from rnnx.core.unrolling.unrolled import ROWS, unrolled
from tests.core.unrolling.drawn import Drawn
from tests.core.unrolling.zoo import (
    DRAWING,
    ZOO,
    Clocked,
    Cut,
    Deep,
    Dropping,
    Forgetful,
    H,
    Kept,
    Normed,
    P,
    Pieces,
    Plain,
    Twice,
    Widths,
    Written,
)

SIZES = {
    "equal": [4, 4, 4, 4],
    "falling": [4, 4, 3, 1, 1],
    "a step": [4],
    "a row": [1, 1, 1],
    "a row of a step": [1],
}
Way = Callable[[Cell, Tensor, Sequence[int], State], tuple[Tensor, State]]

pytestmark = pytest.mark.usefixtures("doubles")


def planned(cell: Cell, z: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
    plan = plan_of(cell, z, state)
    assert plan is not None, "the loop would be compared with itself"
    return unrolled(plan, cell, z, sizes, state)


def stepped(cell: Cell, z: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
    return step_by_step(cell.step, z, sizes, state)


def given_to(cell: Cell, sizes: Sequence[int]) -> tuple[Tensor, State]:
    z = torch.randn(sum(sizes), cell.input_size, requires_grad=True)
    return z, tuple(torch.randn(sizes[0], size, requires_grad=True) for size in cell.state_sizes)


def total(outputs: Sequence[Tensor]) -> Tensor:
    """A number of which the gradient differs from place to place and from output to output."""
    generator = torch.Generator().manual_seed(7)
    weighted = [
        (o.double() * torch.rand(o.shape, generator=generator, dtype=torch.double)).sum() for o in outputs
    ]
    return torch.stack(weighted).sum()


def gradients(outputs: Sequence[Tensor], of: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(total(outputs), of, allow_unused=True, materialize_grads=True)


def outcome(way: Way, cell: Cell, z: Tensor, sizes: Sequence[int], state: State) -> list[Tensor | None]:
    """The outputs, and the gradients of all that requires one."""
    of = [tensor for tensor in (z, *state, *cell.parameters()) if tensor.requires_grad]
    y, last = way(cell, z, sizes, state)
    found = torch.autograd.grad(total((y, *last)), of, allow_unused=True)
    return [y, *last, *(None if g is None or not g.any() else g for g in found)]


def same(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def agree(cell: Cell, sizes: Sequence[int]) -> None:
    z, state = given_to(cell, sizes)
    found, wanted = (outcome(way, cell, z, sizes, state) for way in (planned, stepped))
    assert [g is None for g in found] == [g is None for g in wanted]
    same([g for g in found if g is not None], [g for g in wanted if g is not None])


# Equality with the loop


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("kind", ZOO, ids=lambda kind: kind.__name__)
def test_any_cell_gives_what_its_steps_give(kind: type[Cell], sizes: list[int]) -> None:
    agree(kind(), sizes)


@pytest.mark.parametrize("seed", range(60))
def test_a_cell_that_is_drawn_at_random_gives_what_its_steps_give(seed: int) -> None:
    agree(Drawn(seed), SIZES["falling"])


@pytest.mark.parametrize("rows", [1, 5, 8])
@pytest.mark.parametrize("sizes", [SIZES["equal"], SIZES["falling"]], ids=["equal", "falling"])
@pytest.mark.parametrize("kind", ZOO, ids=lambda kind: kind.__name__)
def test_any_cell_goes_back_in_blocks(
    kind: type[Cell], sizes: list[int], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ROWS, "cpu", rows)
    agree(kind(), sizes)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
    st.sampled_from([Plain, Widths, Forgetful, Pieces]),
    st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_any_numbers_of_rows_give_what_the_steps_give(sizes: list[int], kind: type[Cell], rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ROWS, "cpu", rows)
        agree(kind(), sorted(sizes, reverse=True))


def test_a_sequence_of_several_blocks_of_their_own_size() -> None:
    """The last of three is not full, and sequences end within the others."""
    agree(Forgetful(), [90] * 20 + [70] * 30 + [33] * 25)


@pytest.mark.parametrize("lengths", [[5, 5, 5], [2, 5, 1], [0, 3, 5]], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_gives_what_the_loop_gives(lengths: list[int], reverse: bool) -> None:
    cell, x = Widths(), torch.randn(3, 5, P, requires_grad=True)
    z, state = given_to(cell, [3])
    assert plan_of(cell, z, state) is not None

    def turned(rows: Tensor) -> Tensor:
        if not reverse:
            return rows
        each = zip(rows, lengths, strict=True)
        return torch.stack([torch.cat((row[:length].flip(0), row[length:])) for row, length in each])

    y, last = scan(cell, x, torch.tensor(lengths), state, reverse)
    wanted_y, wanted_last = loop(cell, turned(x), torch.tensor(lengths), state)
    found, wanted = [y, *last], [turned(wanted_y), *wanted_last]
    same(found, wanted)
    of = [x, *state, *cell.parameters()]
    same(gradients(found, of), gradients(wanted, of))


def test_a_start_that_is_one_row_for_all_and_one_tensor_for_two() -> None:
    cell = Twice()
    start, z = torch.randn(1, H, requires_grad=True), torch.randn(9, P)
    found, wanted = [], []
    for way, into in ((planned, found), (stepped, wanted)):
        state = start.expand(4, H)
        y, last = way(cell, z, [4, 3, 2], (state, state))
        into += [y, *last, *torch.autograd.grad(total((y, *last)), [start])]
    same(found, wanted)


def test_an_output_that_is_cut_off_requires_no_gradient() -> None:
    z, state = given_to(Cut(), [4, 3])
    y, (last,) = planned(Cut(), z, [4, 3], state)
    assert (y.requires_grad, last.requires_grad) == (False, True)


@pytest.mark.parametrize("used", range(4))
def test_a_gradient_from_one_output_alone(used: int) -> None:
    cell, sizes = Widths(), [3, 2, 2]
    z, state = given_to(cell, sizes)
    of, results = [z, *state, *cell.parameters()], []
    for way in (planned, stepped):
        y, last = way(cell, z, sizes, state)
        results.append(gradients([[y, *last][used]], of))
    same(*results)


ENDS: dict[str, Callable[[Tensor], Tensor]] = {
    "one number for all places": lambda y: y.sum(),
    "turned round": lambda y: (y.t() * torch.arange(7.0)).sum(),
    "a part": lambda y: y[::2, 1:3].sum(),
    "one for each column": lambda y: (y.sum(0) ** 2).sum(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_gradient_that_lies_in_memory_as_it_likes(end: Callable[[Tensor], Tensor]) -> None:
    cell, sizes = Plain(), [3, 3, 1]
    z, state = given_to(cell, sizes)
    of = [z, *state, *cell.parameters()]
    same(*(torch.autograd.grad(end(way(cell, z, sizes, state)[0]), of) for way in (planned, stepped)))


@pytest.mark.parametrize("turn", [lambda z: z.t().contiguous().t(), lambda z: z[:, :1].expand(-1, P)])
def test_inputs_that_lie_in_memory_as_they_like(turn: Callable[[Tensor], Tensor]) -> None:
    cell, sizes = Plain(), [3, 3, 1]
    z, _ = given_to(cell, sizes)
    wide = torch.randn(3, 2 * H, requires_grad=True)
    of, results = [z, wide, *cell.parameters()], []
    for way in (planned, stepped):
        y, last = way(cell, turn(z), sizes, (wide[:, ::2],))
        results.append([y, *last, *gradients((y, *last), of)])
    same(*results)


def test_the_last_state_is_nobody_elses_memory() -> None:
    cell = Kept()
    z, state = given_to(cell, [2])
    with torch.no_grad():
        before = [tensor.clone() for tensor in (z, *state)]
        y, last = planned(cell, z, [2], state)
        kept = y.clone()
        for tensor in last:
            tensor.fill_(9)
        same(y, kept)
        same([z, *state], before)


# Random numbers


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("kind", DRAWING)
def test_the_same_numbers_are_drawn(kind: str, sizes: list[int]) -> None:
    cell = DRAWING[kind]()
    z, state = given_to(cell, sizes)
    results, after = [], []
    for way in (planned, planned, stepped):  # the first makes the plan
        torch.manual_seed(3)
        results.append(outcome(way, cell, z, sizes, state))
        after.append(torch.rand(()))
    assert after[0] == after[1] == after[2]
    same(results[0], results[2])
    same(results[1], results[2])
    torch.manual_seed(4)
    assert not torch.equal(*(way[0] for way in (results[0], outcome(planned, cell, z, sizes, state))))


@pytest.mark.parametrize("kind", DRAWING)
def test_in_evaluation_as_the_steps(kind: str) -> None:
    cell = DRAWING[kind]().eval()
    z, state = given_to(cell, [3, 2])
    torch.manual_seed(3)
    found = outcome(planned, cell, z, [3, 2], state)
    torch.manual_seed(3)
    same(found, outcome(stepped, cell, z, [3, 2], state))


def test_a_backward_pass_draws_nothing() -> None:
    cell = Dropping()
    z, state = given_to(cell, [3, 2])
    y, _ = planned(cell, z, [3, 2], state)
    before = torch.get_rng_state()
    torch.autograd.grad(y.sum(), [z], create_graph=True)
    assert torch.equal(before, torch.get_rng_state())


# Gradients of gradients


@pytest.mark.parametrize("kind", [Plain, Widths, Clocked], ids=lambda kind: kind.__name__)
def test_second_derivatives_are_those_of_finite_differences(kind: type[Cell]) -> None:
    cell, sizes = kind(), [2, 1]
    z, state = given_to(cell, sizes)
    names = [name for name, _ in cell.named_parameters()]

    def read(z: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        state, tensors = given[: len(cell.state_sizes)], given[len(cell.state_sizes) :]
        y, last = functional_call(_Scan(cell), dict(zip(names, tensors, strict=True)), (z, sizes, state))
        return y, *last

    assert torch.autograd.gradgradcheck(read, (z, *state, *cell.parameters()), atol=1e-5)


@final
class _Scan(nn.Module):
    """A cell along packed sequences, its tensors having the names that the cell gives them."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.__dict__["cell"] = cell
        self._modules, self._parameters, self._buffers = cell._modules, cell._parameters, cell._buffers

    def forward(self, z: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
        return planned(self.cell, z, sizes, state)


def twice(way: Way, cell: Cell, z: Tensor, sizes: Sequence[int], state: State) -> list[Tensor]:
    """The first gradients, made so that they can be differentiated, and their own."""
    of = [z, *state, *cell.parameters()]
    torch.manual_seed(5)
    y, last = way(cell, z, sizes, state)
    torch.rand(3)
    once = torch.autograd.grad(total((y, *last)), of, create_graph=True, allow_unused=True)
    again = torch.autograd.grad(
        total([g.square() for g in once if g is not None]), of, allow_unused=True, materialize_grads=True
    )
    return [*(g for g in once if g is not None), *again]


@pytest.mark.parametrize("kind", [*DRAWING, "plain", "deep"])
def test_second_derivatives_are_those_of_the_loop(kind: str) -> None:
    cell = {**DRAWING, "plain": Plain, "deep": Deep}[kind]()
    z, state = given_to(cell, [3, 2, 2])
    same(*(twice(way, cell, z, [3, 2, 2], state) for way in (planned, stepped)))


def test_second_derivatives_of_a_step_that_was_trained_and_is_now_evaluated() -> None:
    """What a cell was when it read is what is differentiated, whatever it has become."""
    cell = DRAWING["recurrent dropout"]()
    z, state = given_to(cell, [3, 2])
    results = []
    for way in (planned, stepped):
        torch.manual_seed(5)
        y, _ = way(cell.train(), z, [3, 2], state)
        cell.eval()
        results.append(torch.autograd.grad(y.square().sum(), [z], create_graph=True))
    same(*results)


def test_second_derivatives_of_what_was_read_with_another_option() -> None:
    class Paced(Written):
        pace = 1.0

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.pace * (self.input(z) + self.recurrent(state[0])))
            return h, (h,)

    def gradient(way: Any) -> Tensor:
        ends = []
        for cell.pace in (1.0, 0.1):
            y, _ = way(cell, x, None, cell.initial_state(len(x), x))
            ends.append(y.square().sum())
        (found,) = torch.autograd.grad(ends[0] + ends[1], x, create_graph=True)
        return found

    torch.manual_seed(0)
    cell = Paced()
    x = torch.randn(3, 4, cell.input_size, requires_grad=True)
    same(gradient(scan), gradient(loop))


def test_a_product_of_the_hessian_with_a_vector() -> None:
    cell = Plain()
    z, state = given_to(cell, [2, 2])
    vector = torch.randn_like(z)

    def loss(way: Way) -> Callable[[Tensor], Tensor]:
        return lambda z: way(cell, z, [2, 2], state)[0].square().sum()

    found, wanted = (torch.autograd.functional.hvp(loss(way), z, vector)[1] for way in (planned, stepped))
    same(found, wanted)
    assert wanted.any()


AT_ONCE: dict[str, Callable[..., Sequence[Tensor]]] = {
    "batched": lambda end, of, at: torch.autograd.grad(end, of, at, is_grads_batched=True, allow_unused=True),
    "vmap": lambda end, of, at: torch.func.vmap(
        lambda one: torch.autograd.grad(end, of, one, allow_unused=True, materialize_grads=True)
    )(at),
}


@pytest.mark.parametrize("output", [0, 1])
@pytest.mark.parametrize("at_once", AT_ONCE.values(), ids=AT_ONCE)
def test_the_gradients_of_several_vectors_at_once(
    at_once: Callable[..., Sequence[Tensor]], output: int
) -> None:
    """As ``torch.autograd.functional.jacobian`` takes them when it is told to."""
    cell, results = Plain(), []
    z, state = given_to(cell, [2, 2])
    of = [z, *state, *cell.parameters()]
    for way in (planned, stepped):
        y, last = way(cell, z, [2, 2], state)
        end = (y, *last)[output]
        torch.manual_seed(1)
        results.append(at_once(end, of, torch.randn(5, *end.shape)))
    same(*results)


# What is kept for the backward pass


def test_a_graph_that_is_kept_gives_the_same_twice() -> None:
    cell = Widths()
    z, state = given_to(cell, [3, 2])
    of, results = [z, *state, *cell.parameters()], []
    for way in (planned, stepped):
        y, last = way(cell, z, [3, 2], state)
        end = total((y, *last))
        for _ in range(2):
            found = torch.autograd.grad(end, of, retain_graph=True, allow_unused=True, materialize_grads=True)
            results.append(found)
    same(results[1], results[0])
    same(results[0], results[2])


def test_a_graph_that_is_not_kept_gives_torchs_error() -> None:
    cell = Plain()
    z, state = given_to(cell, [3, 2])
    end = planned(cell, z, [3, 2], state)[0].sum()
    end.backward(retain_graph=True)
    end.backward()
    with pytest.raises(RuntimeError, match="second time"):
        end.backward()


@pytest.mark.parametrize("changed", ["weight", "input", "state"])
def test_what_is_changed_before_the_backward_pass_gives_torchs_error(changed: str) -> None:
    cell = Plain()
    z, state = given_to(cell, [3, 2])
    z, state = z * 1, tuple(tensor * 1 for tensor in state)
    y, _ = planned(cell, z, [3, 2], state)
    with torch.no_grad():
        {"weight": cell.recurrent.weight, "input": z, "state": state[0]}[changed].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_what_is_packed_elsewhere_is_all_that_is_needed() -> None:
    """What was kept is spoilt where it stood and given back from copies, which are all that is left."""
    cell, sizes = Widths(), [3, 2, 2]
    z, state = given_to(cell, sizes)
    of = [z, *state, *cell.parameters()]
    y, last = stepped(cell, z, sizes, state)
    wanted = gradients((y, *last), of)
    own = {tensor.untyped_storage().data_ptr() for tensor in of}
    spoilt: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            spoilt.append(tensor)
        return tensor.detach().clone()

    with saved_tensors_hooks(pack, lambda copied: copied):
        y, last = planned(cell, z, sizes, state)
    end = total((y, *last))
    assert spoilt
    for tensor in spoilt:
        tensor.untyped_storage().fill_(255)  # not a number
    same(torch.autograd.grad(end, of, allow_unused=True, materialize_grads=True), wanted)


@pytest.mark.parametrize("changed", [0, 1])
def test_an_output_that_is_changed_gives_right_gradients_or_torchs_error(changed: int) -> None:
    cell = Plain()
    z, state = given_to(cell, [3, 2])
    of, results = [z, *state, *cell.parameters()], []
    for way in (stepped, planned):
        y, last = way(cell, z, [3, 2], state)
        [y, *last][changed].mul_(3)
        try:
            results.append(gradients((y, *last), of))
        except RuntimeError as error:
            assert way is planned
            assert "modified by an inplace operation" in str(error)  # noqa: PT017
    same(results[0], results[-1])


def packed_bytes(way: Way, cell: Cell, steps: int) -> int:
    """The bytes of all memory that is handed over to be kept, each once."""
    memories: dict[int, Any] = {}

    def pack(tensor: Tensor) -> Tensor:
        memories[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    z, state = given_to(cell, [8] * steps)
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = way(cell, z, [8] * steps, state)
    assert outputs
    return sum(memory.nbytes() for memory in memories.values())


@pytest.mark.parametrize("kind", [Plain, Widths, Pieces], ids=lambda kind: kind.__name__)
def test_not_much_more_is_kept_than_by_the_loop(kind: type[Cell]) -> None:
    cell = kind()
    for steps in (10, 20):
        assert packed_bytes(planned, cell, steps) <= 1.5 * packed_bytes(stepped, cell, steps)


def large(rows: int) -> int:
    """How many tensors of at least so many rows are alive."""
    gc.collect()
    return sum(type(o) is Tensor and o.dim() > 0 and o.shape[0] >= rows for o in gc.get_objects())


def test_nothing_is_left_when_the_outputs_are_gone() -> None:
    cell, sizes, kept = Widths(), [97] * 3, []

    def pack(tensor: Tensor) -> Tensor:
        copied = tensor.detach().clone()
        kept.append(weakref.ref(copied))
        return copied

    z, state = given_to(cell, sizes)
    before = large(97)
    for backward in (False, True):
        with saved_tensors_hooks(pack, lambda copied: copied):
            y, last = planned(cell, z, sizes, state)
        assert any(ref() is not None for ref in kept)
        if backward:
            torch.autograd.grad(y.sum(), [z])
        del y, last
        assert large(97) == before
        assert all(ref() is None for ref in kept)


def test_a_checkpoint_gives_the_same_and_keeps_little() -> None:
    for cell in (Plain(), DRAWING["dropout"]()):
        x = torch.randn(3, 6, P, requires_grad=True)
        of, results, kept = [x, *cell.parameters()], [], []
        scan(cell, x)
        for spared in (False, True):
            torch.manual_seed(3)
            packed: list[int] = []

            def pack(tensor: Tensor, packed: list[int] = packed) -> Tensor:
                packed.append(tensor.numel())
                return tensor

            with saved_tensors_hooks(pack, lambda tensor: tensor):
                y, last = checkpoint(scan, cell, x, use_reentrant=False) if spared else scan(cell, x)
            kept.append(sum(packed))
            results.append([y, *last, *torch.autograd.grad(total((y, *last)), of)])
        same(*results)
        assert kept[1] < kept[0] / 2


# Half precision


@pytest.mark.parametrize("start", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "kind", [Plain, Widths, Normed, Pieces, Deep, Kept, Clocked], ids=lambda kind: kind.__name__
)
def test_autocast_gives_about_what_the_steps_give_in_their_types(
    kind: type[Cell], start: torch.dtype
) -> None:
    cell, sizes = kind().float(), [4, 4, 2, 1]
    z, state = given_to(cell, sizes)
    z = z.detach().float().requires_grad_()
    state = tuple(tensor.detach().to(start).requires_grad_() for tensor in state)
    of = [z, *state, *cell.parameters()]
    results = []
    for way in (planned, stepped):
        with torch.autocast("cpu", torch.bfloat16):
            y, last = way(cell, z, sizes, state)
        end = total((y, *last))  # and the backward pass is outside
        found = torch.autograd.grad(end, of, allow_unused=True, materialize_grads=True)
        results.append([y, *last, *found])
    for found, wanted in zip(*results, strict=True):
        assert found.dtype == wanted.dtype
        near = 0.05 * float(wanted.detach().float().abs().amax().clamp(min=1))
        torch.testing.assert_close(found, wanted, rtol=0, atol=near)


def test_second_derivatives_of_what_was_read_under_autocast() -> None:
    cell, sizes = Plain().float(), [3, 2]
    z, state = given_to(cell, sizes)
    z, state = z.detach().float().requires_grad_(), tuple(t.detach().float() for t in state)
    results = []
    for way in (planned, stepped):
        with torch.autocast("cpu", torch.bfloat16):
            y, _ = way(cell, z, sizes, state)
        (once,) = torch.autograd.grad(y.float().square().sum(), [z], create_graph=True)
        results.append((once, *torch.autograd.grad(once.square().sum(), [z])))
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=0.05 * float(wanted.detach().abs().max()))


# Modes


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__)
@pytest.mark.parametrize("kind", ZOO, ids=lambda kind: kind.__name__)
def test_without_gradients_as_the_steps(
    kind: type[Cell], mode: Callable[[], AbstractContextManager[Any]]
) -> None:
    cell = kind()
    z, state = given_to(cell, [4, 3, 1])
    with mode():
        y, last = planned(cell, z, [4, 3, 1], state)
        wanted_y, wanted_last = stepped(cell, z, [4, 3, 1], state)
    same((y, *last), (wanted_y, *wanted_last))
    assert not any(tensor.requires_grad for tensor in (y, *last))


def test_gradients_where_they_are_allowed_again() -> None:
    cell = Widths()
    z, state = given_to(cell, [3, 2])
    with torch.no_grad():
        planned(cell, z, [3, 2], state)
        with torch.enable_grad():
            agree(cell, [3, 2])
        assert not planned(cell, z, [3, 2], state)[0].requires_grad
    agree(cell, [3, 2])


LEARNING = {
    "all": "zsp",
    "input": "z",
    "state": "s",
    "parameters": "p",
    "input and state": "zs",
    "state and parameters": "sp",
    "nothing": "",
}


@pytest.mark.parametrize("learning", LEARNING.values(), ids=LEARNING)
def test_gradients_of_what_requires_one(learning: str) -> None:
    cell, sizes = Widths().requires_grad_("p" in learning), [3, 2, 2]
    z, state = given_to(cell, sizes)
    z.requires_grad_("z" in learning)
    for tensor in state:
        tensor.requires_grad_("s" in learning)
    outputs = [[y, *last] for y, last in (way(cell, z, sizes, state) for way in (scanned, stepped))]
    same(*outputs)
    assert [tensor.requires_grad for tensor in outputs[0]] == [tensor.requires_grad for tensor in outputs[1]]
    of = [tensor for tensor in (z, *state, *cell.parameters()) if tensor.requires_grad]
    if of:
        same(*(gradients(ends, of) for ends in outputs))


def scanned(cell: Cell, z: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
    """By its plan, if it has one."""
    plan = plan_of(cell, z, state)
    return stepped(cell, z, sizes, state) if plan is None else unrolled(plan, cell, z, sizes, state)


# Weights that come from elsewhere


def test_gradients_reach_weights_that_stand_in_for_others() -> None:
    cell = Plain()
    z, state = given_to(cell, [3, 2])
    raw = torch.randn(H, H, requires_grad=True)
    results = []
    for way in (planned, stepped):
        with torch.nn.utils.stateless._reparametrize_module(cell, {"recurrent.weight": raw.exp()}):
            y, _ = way(cell, z, [3, 2], state)
        own = torch.autograd.grad(y.sum(), [cell.recurrent.weight], allow_unused=True, retain_graph=True)
        assert own == (None,)
        results.append(
            (y, *torch.autograd.grad(y.square().sum(), [raw, cell.recurrent.bias], create_graph=True))
        )
    same(*results)


def test_dropped_weights_learn_as_in_the_loop() -> None:
    cell = Plain()
    net, x, results = WeightDrop(Layer(cell), 0.5, 0.5), torch.randn(3, 4, P), []
    assert plan_of(cell, *given_to(cell, [3])) is not None
    for stepped_through in (False, True):
        if stepped_through:
            cell.recurrent.register_forward_hook(lambda *_: None)  # with a hook a cell goes step by step
        torch.manual_seed(3)
        y, _ = net(x)
        results.append((y, *torch.autograd.grad(y.square().sum(), list(net.parameters()))))
    same(*results)


def test_hooks_on_parameters_see_their_gradients() -> None:
    results = []
    for way in (planned, stepped):
        torch.manual_seed(0)
        cell, seen = Plain(), []
        z, state = given_to(cell, [3, 2])
        cell.recurrent.weight.register_hook(lambda g, seen=seen: seen.append(g) or g * 2)
        cell.input.bias.register_post_accumulate_grad_hook(lambda p, seen=seen: seen.append(p.grad.clone()))
        y, last = way(cell, z, [3, 2], state)
        total((y, *last)).backward()
        results.append([*seen, *(p.grad for p in cell.parameters())])
    assert len(results[0]) == 2 + 4
    results[0][:2], results[1][:2] = (sorted(r[:2], key=lambda g: g.dim()) for r in results)
    same(*results)


def test_an_optimizer_made_before_moves_what_is_read_afterwards() -> None:
    """Also where one layer is used twice."""
    cell = Deep()
    optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)
    before = dict(cell.named_parameters())
    z, state = given_to(cell, [3, 2])
    y, last = planned(cell, z, [3, 2], state)
    torch.autograd.grad(y.sum(), [z], create_graph=True)
    total((y, *last)).backward()
    assert all(tensor is before[name] for name, tensor in cell.named_parameters())
    assert all(isinstance(tensor, nn.Parameter) for tensor in cell.parameters())
    optimizer.step()
    moved, _ = planned(cell, z, [3, 2], state)
    same(moved, stepped(cell, z, [3, 2], state)[0])
    assert not torch.allclose(moved, y)


def test_a_cell_and_its_copy_are_run_by_their_own_weights() -> None:
    cell = Plain()
    other = copy.deepcopy(cell)
    nn.init.normal_(other.recurrent.weight)
    for one in (cell, other, cell):
        agree(one, [3, 2])
