"""On a GPU steps are kernels; here it is the CPU that has them, where Triton interprets them."""

from __future__ import annotations

import warnings
from abc import ABC
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling import making
from rnnx.core.unrolling.kernels.triton.kernel import Kernel
from rnnx.core.unrolling.plans import plan_of
from rnnx.core.unrolling.sorting import Kernels
from rnnx.core.unrolling.time_loop import Backwards, Forwards, TimeLoop

N, T, H = 4, 5, 4
LENGTHS = torch.tensor([5, 3, 1, 3])

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "KERNELS", {"cpu": Kernels.TRITON})


class Leaky(Cell, ABC):
    """By elements; each test makes a class of its own of it, as what is found is kept by class."""

    input_size, output_size, state_sizes = H, H, (H,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(z + state[0] / 2)
        return h, (h,)


def warned(cell: Cell) -> list[str]:
    """What is said of a cell that is read twice, with gradients that are those of the loop."""
    torch.manual_seed(0)
    x, state = torch.randn(N, T, H, requires_grad=True), (torch.randn(N, H, requires_grad=True),)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            found, wanted = (way(cell, x, LENGTHS, state) for way in (scan, loop))
            gradients = [
                torch.autograd.grad(y.square().sum() + h.sum(), (x, *state)) for y, (h,) in (found, wanted)
            ]
            torch.testing.assert_close((found, gradients[0]), (wanted, gradients[1]))
    return [str(warning.message) for warning in said if warning.category is not RuntimeWarning]


def loops(cell: Cell) -> list[type[TimeLoop]]:
    """How a cell's steps are made, forth and back."""
    plan = plan_of(cell, torch.zeros(1, H, requires_grad=True), (torch.zeros(1, H, requires_grad=True),))
    assert plan is not None
    return [type(plan.forward.steps), type(plan.backward.steps)]


def test_steps_are_kernels_where_the_device_has_them() -> None:
    class Quick(Leaky):
        pass

    cell = Quick()
    assert warned(cell) == []
    assert loops(cell) == [Kernel, Kernel]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_evaluation_has_kernels_too(mode: Callable[[], AbstractContextManager[None]]) -> None:
    class Evaluated(Leaky):
        def __init__(self) -> None:
            super().__init__()
            self.normalise, self.mode = nn.LayerNorm(H), mode.__name__

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, (h,) = super().step(F.dropout(z, 0.5, self.training), state)
            return y, (self.normalise(h),)

    cell = Evaluated().eval()
    with mode():
        plan = plan_of(cell, torch.zeros(1, H), (torch.zeros(1, H),))
        assert plan is not None
        assert isinstance(plan.forward.steps, Kernel)
        assert not plan.draws
        x, state = torch.randn(N, T, H), (torch.randn(N, H),)
        torch.testing.assert_close(scan(cell, x, LENGTHS, state), loop(cell, x, LENGTHS, state))


def test_kernels_that_give_other_numbers_are_not_used() -> None:
    class Chaotic(Leaky):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, (h,) = super().step(z, state)
            return y, (torch.remainder(h * 1e20, 0.7),)  # whose last digits are another rounding's

    cell = Chaotic()
    assert warned(cell) == [
        "cell Chaotic is run without a kernel of its own, which is slower: its step gives other numbers when "
        "it is taken apart"
    ]
    assert loops(cell) == [Forwards, Backwards]


def test_steps_that_cannot_be_written_have_none_without_a_word() -> None:
    class Rare(Leaky):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.digamma(z + state[0])
            return h, (h,)

    cell = Rare()
    assert warned(cell) == []
    assert loops(cell) == [Forwards, Kernel]  # there is a formula of its gradient's
