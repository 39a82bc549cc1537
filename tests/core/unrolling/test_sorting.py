from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.sorting import taken_apart
from rnnx.core.unrolling.trace import UntraceableError
from rnnx.core.unrolling.unrolled import ROWS, unrolled
from tests.core.unrolling.counting import Operations
from tests.core.unrolling.written import H, Written, elman, given_to

ATEN = torch.ops.aten

pytestmark = pytest.mark.usefixtures("doubles")


def positive(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """A matrix that is made of another one."""
    h = torch.tanh(cell.input(z) + F.linear(h, cell.recurrent.weight.exp() @ cell.output.weight))
    return h, (h,)


def products(cell: Cell, steps: int) -> tuple[int, int]:
    """How many matrices are multiplied in the forward pass and in the backward pass."""
    z, state = given_to(cell, 2, steps)
    plan = taken_apart(cell, z, state)
    with Operations() as forth:
        y, last = unrolled(plan, cell, z, [2] * steps, state)
    ends, of = [y, *last], [z, *state, *cell.parameters()]
    at = [torch.randn_like(end) for end in ends]
    with Operations() as back:
        torch.autograd.grad(ends, of, at, allow_unused=True)
    return forth.products(), back.products()


def test_the_gradient_of_a_matrix_is_one_product_however_many_steps() -> None:
    """At each step come the products that the gradient of the state goes through, two at most; once come the
    gradients of three matrices and of z. In the loop all six come at each step.
    """
    cell = Written(elman)
    ten, twenty = products(cell, 10)[1], products(cell, 20)[1]
    assert twenty - ten <= 2 * 10
    assert ten <= 2 * 10 + 4


def test_the_gradient_of_a_matrix_is_one_product_for_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 steps of two rows three blocks, at most eight steps each: the gradients of three matrices, of z
    and of what the output is made of.
    """
    once = products(Written(elman), 20)[1]
    monkeypatch.setitem(ROWS, "cpu", 16)
    assert products(Written(elman), 20)[1] - once == 2 * 5


def test_what_a_step_reads_is_multiplied_once_a_step() -> None:
    cell = Written(elman)
    ten, twenty = products(cell, 10)[0], products(cell, 20)[0]
    assert twenty - ten <= 3 * 10


def test_what_depends_on_parameters_alone_is_done_once() -> None:
    cell = Written(positive)
    z, state = given_to(cell, 2, 20)
    plan = taken_apart(cell, z, state)
    with Operations() as counted:
        y, _ = unrolled(plan, cell, z, [2] * 20, state)
        torch.autograd.grad(y.sum(), list(cell.parameters()), allow_unused=True)
    assert counted.counts[ATEN.exp.default] == 1
    forth, back = products(cell, 20)
    more_forth, more_back = products(cell, 21)
    assert (more_forth - forth, more_back - back) == (1, 1)


def test_what_no_state_leads_to_or_comes_from_is_done_once() -> None:
    """Of three products of a step forth, and of those back, only the one with the state is left."""
    cell = Written(elman)
    ten, twenty = products(cell, 10), products(cell, 20)
    assert (twenty[0] - ten[0], twenty[1] - ten[1]) == (10, 10)


def gated_by_its_input(cell: Any, z: Tensor, c: Tensor) -> tuple[Tensor, State]:
    f, o = torch.sigmoid(cell.input(z)), torch.sigmoid(cell.output(torch.tanh(cell.input(z))))
    c = f * c + (1 - f) * torch.tanh(cell.input(z))
    return o * c, (c,)


def test_of_gates_that_need_no_past_the_memory_alone_goes_along_time() -> None:
    """With views left out: an operation a step forth; back one, and what waits for all steps to be read."""
    cell = Written(gated_by_its_input)

    def carried_out(steps: int) -> tuple[int, int]:
        z, state = given_to(cell, 2, steps)
        plan = taken_apart(cell, z, state)
        with Operations() as forth:
            y, _ = unrolled(plan, cell, z, [2] * steps, state)
        with Operations() as back:
            torch.autograd.grad(y.sum(), [z, *state, *cell.parameters()], allow_unused=True)
        return tuple(
            sum(count for func, count in way.counts.items() if not func.is_view) for way in (forth, back)
        )

    ten, twenty = carried_out(10), carried_out(20)
    assert (twenty[0] - ten[0], twenty[1] - ten[1]) == (10, 20)


def matrix(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """A state that a product reads as a matrix, in the step in which it is made."""
    decay = torch.sigmoid(cell.input(z)).unsqueeze(1)  # (N, 1, H)
    memory = decay * h.unflatten(1, (1, H)) + 1 - decay
    return torch.bmm(memory.transpose(1, 2), memory).sum(1), (memory.flatten(1),)


def test_a_state_that_is_kept_as_a_matrix_is_not_kept_once_more() -> None:
    cell = Written(matrix)
    z, state = given_to(cell, 2, 5)
    plan = taken_apart(cell, z, state)
    ((place, kept),) = plan.backward.previous
    assert (place, plan.forward.kept[kept].shape) == (0, (1, H))
    assert (H,) not in [form.shape for form in plan.forward.kept]
    with Operations() as forth:
        _, (last,) = unrolled(plan, cell, z, [2] * 5, state)
    assert last.shape == (2, H)
    assert forth.counts[ATEN.copy_.default] == 0


# What cannot be taken apart


def deciding(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    return (z, (h,)) if z.sum() > 0 else (z, (-h,))


def failing(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """Where its gradients are recorded."""
    if torch.is_grad_enabled():
        raise KeyError("no such thing")
    return z, (h,)


def drawing_for_all(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """One draw for all rows, on the way of a gradient of a matrix."""
    return z, (cell.recurrent(h) * torch.rand(H),)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (deciding, "decides by the values"),
        (failing, "fails when it is taken apart .KeyError: 'no such thing'"),
        (drawing_for_all, "random numbers that are not a row's"),
    ],
)
def test_what_a_plan_cannot_hold_is_refused(
    function: Callable[..., tuple[Tensor, State]], message: str
) -> None:
    cell = Written(function)
    with pytest.raises(UntraceableError, match=message):
        taken_apart(cell, *given_to(cell, 2))


def test_taking_a_cell_apart_leaves_it_as_it_was() -> None:
    cell = Written(elman)
    cell.output = cell.recurrent  # one layer by two names
    before = dict(cell.named_parameters(remove_duplicate=False))
    values = {name: tensor.clone() for name, tensor in before.items()}
    taken_apart(cell, *given_to(cell, 2))
    after = dict(cell.named_parameters(remove_duplicate=False))
    assert after.keys() == before.keys()
    assert all(tensor is before[name] for name, tensor in after.items())
    assert all(torch.equal(tensor, values[name]) for name, tensor in after.items())
    assert all(tensor.grad is None and tensor.requires_grad for tensor in after.values())
