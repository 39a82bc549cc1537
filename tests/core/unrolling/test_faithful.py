"""What a plan could hold wrongly."""

from __future__ import annotations

import random
from abc import ABC
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    same,
)

pytestmark = pytest.mark.usefixtures("doubles")


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


def test_a_class_of_one_hot_that_is_out_of_range_is_refused() -> None:
    class Counting(Elman):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(z, (F.one_hot((state[0] > 4).sum(-1), H) * state[0],))

    cell = Counting()
    as_the_loop(cell)
    assert plan_for(cell) is not None
    x, _ = given_to(cell)
    with pytest.raises(RuntimeError, match="index 4 is out of bounds"):
        scan(cell, x, None, (torch.full((N, H), 5.0),))


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


@pytest.mark.parametrize("dtype", [torch.double, torch.float])
def test_a_conjugates_imaginary_part_has_its_sign(dtype: torch.dtype) -> None:
    """A unit of complex numbers; torch makes its sign only where the part is read."""

    class Complex(Elman):
        width = torch.finfo(dtype).bits  # a plan for each

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            turned = torch.complex(self.recurrent(state[0]), self.input(z)).conj()
            h = torch.tanh(turned.imag) + turned.real.sin()
            return torch.complex(h, h).conj().imag, (h * turned.imag,)

    cell = Complex().to(dtype)
    x, state = given_to(cell)
    x, state = (x.detach().to(dtype).requires_grad_(), tuple(t.detach().to(dtype) for t in state))
    assert plan_of(cell, cell.project(x[:, 0]), state) is not None
    close = {} if dtype == torch.double else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(results(scan, cell, x, state), results(loop, cell, x, state), **close)


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
