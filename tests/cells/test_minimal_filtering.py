from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from rnnx.cells import minimal_filtering, normalization
from rnnx.cells.minimal_filtering import ThreeSteps, windows
from rnnx.cells.qrnn import QRNN
from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State


class Reader(Cell):
    """Gives what it reads."""

    input_size, output_size, state_sizes = 4, 4, (1,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return z, state


def by_three(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    cell = ThreeSteps(weight, bias, normalization.of_sums(False, 4), Reader())
    return scan(cell, windows(x))[0].unflatten(-1, (3, 4)).flatten(1, 2)


def by_torch(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    w, v = weight.chunk(2)
    return F.conv1d(x.transpose(1, 2), torch.stack((v, w), -1), bias).transpose(1, 2)


def arguments(threes: int) -> tuple[Tensor, ...]:
    torch.manual_seed(threes)
    sizes = ((2, 3 * threes + 1, 3), (8, 3), (4,))
    return tuple(torch.randn(size, dtype=torch.double, requires_grad=True) for size in sizes)


@pytest.mark.parametrize("threes", [1, 2, 5])
def test_its_sums_are_torchs_convolution_and_have_its_gradients(threes: int) -> None:
    given = arguments(threes)
    y, wanted = by_three(*given), by_torch(*given)
    torch.testing.assert_close(y, wanted, rtol=0, atol=1e-14)
    at = torch.randn_like(y)
    found = torch.autograd.grad(y, given, at)
    torch.testing.assert_close(found, torch.autograd.grad(wanted, given, at), rtol=0, atol=1e-13)


@pytest.mark.parametrize("threes", [1, 5])
def test_its_gradients_can_be_differentiated(threes: int) -> None:
    assert torch.autograd.gradgradcheck(by_three, arguments(threes))


def test_of_whole_numbers_it_is_exact_in_32_bits() -> None:
    """Also where half a sum is no whole number."""
    torch.manual_seed(0)
    given = [torch.randint(-99, 99, tensor.shape).float() for tensor in arguments(5)]
    assert torch.equal(by_three(*given), by_torch(*(tensor.double() for tensor in given)).float())


class Wide:
    """A QRNN and inputs so large that three steps at once are faster."""

    def __init__(self, *, steps: int = 32, layer_norm: bool = False, learns: bool = True) -> None:
        torch.manual_seed(0)
        width = minimal_filtering.WIDE if learns else minimal_filtering.WIDE_WITHOUT_GRADIENT
        self.cell = QRNN(width, hidden_size=3, layer_norm=layer_norm).requires_grad_(learns)
        self.x = torch.randn(20, steps, width)
        self.state = (torch.randn(20, 3), torch.randn(20, 9))

    def pays(self, lengths: Tensor | None = None) -> bool:
        return self.cell.unroll(self.x, lengths, self.state) is not None


@pytest.mark.parametrize("steps", [32, 33, 34])
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("learns", [False, True])
def test_a_wide_qrnn_reads_by_it_what_its_steps_give(steps: int, layer_norm: bool, learns: bool) -> None:
    """From a state, and with the gradients of all that the steps read."""
    wide = Wide(steps=steps, layer_norm=layer_norm, learns=learns)
    assert wide.pays()
    exact = Wide(steps=steps, layer_norm=layer_norm, learns=learns)
    exact.cell.double()
    found, wanted = [], []
    for given, read, out in ((wide, scan, found), (exact, loop, wanted)):
        dtype = given.cell.weight_ih.dtype
        x = given.x.to(dtype).requires_grad_(learns)
        state = [tensor.to(dtype).requires_grad_(learns) for tensor in given.state]
        y, last = read(given.cell, x, None, tuple(state))
        out.extend((y, *last))
        if learns:
            loss = sum(tensor.square().sum() for tensor in (y, *last))
            out.extend(torch.autograd.grad(loss, [x, *state, *given.cell.parameters()]))
    for one, other in zip(found, wanted, strict=True):
        scale = other.abs().max().item()
        np.testing.assert_allclose(one.detach(), other.detach(), rtol=0, atol=1e-5 * max(scale, 1))


def test_where_it_would_be_slower_or_less_exact_the_steps_are_read() -> None:
    wide = Wide()
    assert not wide.pays(lengths=torch.full((20,), 32))
    with torch.autocast("cpu", torch.bfloat16):
        assert not wide.pays()
    wide.cell.requires_grad_(False)
    assert not wide.pays()
    wide.cell.requires_grad_(True).double()
    assert not wide.pays()


def test_who_counts_operations_counts_those_of_the_equations() -> None:
    wide = Wide()
    with FlopCounterMode(display=False) as counter:
        scan(wide.cell, wide.x)
    assert counter.get_total_flops() == 2 * wide.x.numel() * 2 * 9


def test_a_window_of_another_width_is_read_step_by_step() -> None:
    wide = Wide()
    cell = QRNN(wide.x.shape[-1], hidden_size=3, kernel_size=3)
    assert cell.unroll(wide.x, None, (wide.state[0], wide.state[1], wide.state[1])) is None
