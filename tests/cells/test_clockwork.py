from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.cells.clockwork import Clockwork
from rnnx.core import state as states
from rnnx.core.engine import loop, scan
from rnnx.core.errors import UsageError

PERIODS = (1, 2, 3)


def by_paper(cell: Clockwork, periods: tuple[int, ...], x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Koutník et al. 2014, equation 1, where modules whose period does not divide t keep their values."""
    W_I, b = cell.weight_ih.detach().numpy(), cell.bias_ih.detach().numpy()
    size, width = len(y), len(y) // len(periods)
    W_H = np.zeros((size, size))  # block upper triangular
    for i in range(len(periods)):
        W_H[i * width : (i + 1) * width, i * width :] = cell.weight_hh[i].detach().numpy()
    ys = []
    for t, x_t in enumerate(x):
        moved = np.tanh(W_H @ y + W_I @ x_t + b)
        y = np.where(np.repeat([t % T == 0 for T in periods], width), moved, y)
        ys.append(y)
    return ys


@pytest.mark.parametrize("periods", [PERIODS, (1, 2, 4), (2, 3, 7), (5,)])
def test_it_is_the_papers_equation(periods: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    cell = Clockwork(2, hidden_size=2 * len(periods), periods=periods).double()
    x, h = (
        np.random.default_rng(0).normal(size=(50, 2)),
        np.random.default_rng(1).normal(size=2 * len(periods)),
    )
    clock = torch.zeros(1, 1, dtype=torch.double)
    y, (last, _) = scan(cell, torch.from_numpy(x)[None], None, (torch.from_numpy(h)[None], clock))
    expected = by_paper(cell, periods, x, h)
    np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(last[0].detach(), expected[-1], rtol=0, atol=1e-14)


def test_gradients_are_those_of_finite_differences(true_gradients: Callable[..., None]) -> None:
    true_gradients(Clockwork(2, hidden_size=4, periods=(1, 2)))


@pytest.mark.parametrize("cut", range(14))
def test_a_chunk_goes_on_at_the_time_of_the_one_before(cut: int) -> None:
    torch.manual_seed(0)
    cell, x = Clockwork(2, hidden_size=6, periods=PERIODS).double(), torch.randn(1, 13, 2).double()
    whole, last = scan(cell, x)
    first, between = scan(cell, x[:, :cut])
    second, end = scan(cell, x[:, cut:], None, between)
    torch.testing.assert_close(torch.cat((first, second), 1), whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(end, last, rtol=0, atol=1e-14)


def test_rows_stand_at_times_of_their_own() -> None:
    """Rows of unequal lengths, read on together: each goes on at its own time."""
    torch.manual_seed(0)
    cell, x = Clockwork(2, hidden_size=6, periods=PERIODS).double(), torch.randn(3, 12, 2).double()
    lengths = torch.tensor([1, 6, 3])
    _, between = scan(cell, x[:, :6], lengths)
    rest = torch.stack([row[length : length + 6] for row, length in zip(x, lengths, strict=True)])
    y, _ = scan(cell, rest, None, between)
    for row, length, found in zip(x, lengths.tolist(), y, strict=True):
        whole, _ = scan(cell, row[None])
        torch.testing.assert_close(found, whole[0, length : length + 6], rtol=0, atol=1e-14)


@pytest.mark.parametrize("shift", [-0.4, 0.4, -6, 6])
def test_a_clock_between_two_times_is_read_as_the_nearest_and_goes_round(shift: float) -> None:
    """The periods 1, 2 and 3 repeat after 6 steps, which are one turn of the clock."""
    torch.manual_seed(0)
    cell, x = Clockwork(2, hidden_size=6, periods=PERIODS).double(), torch.randn(1, 8, 2).double()
    h, exact = scan(cell, x[:, :2])[1]
    wanted = scan(cell, x, None, (h, exact))
    found = scan(cell, x, None, (h, exact + shift / 6))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)


def test_a_tree_counts_the_nodes_below() -> None:
    """The root of two leaves is at time 2, when the module of period 3 keeps what it was: their sum."""
    torch.manual_seed(0)
    cell, x = Clockwork(2, hidden_size=4, periods=(1, 3)).double(), torch.randn(2, 2).double()
    _, leaves = cell.step(cell.project(x), cell.initial_state(2, x))
    children = tuple(tensor.unsqueeze(0) for tensor in leaves)
    y, _ = cell.fold(cell.project(x[:1]), children, torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(y[0, 2:], leaves[0][:, 2:].sum(0), rtol=0, atol=1e-14)


def test_the_clock_is_right_after_thousands_of_steps_of_32_bits() -> None:
    periods, steps = (1, 3, 7, 50, 64), 3000
    torch.manual_seed(0)
    cell = Clockwork(2, hidden_size=10, periods=periods)
    with torch.no_grad():
        y, _ = scan(cell, torch.randn(1, steps, 2))
    moved = (y[0, 1:] != y[0, :-1]).unflatten(1, (5, 2)).any(-1)  # (T - 1, g)
    expected = [[t % T == 0 for T in periods] for t in range(1, steps)]
    assert moved.tolist() == expected


def test_blocks_below_the_diagonal_are_no_weights() -> None:
    """By hand: three modules of width 2 have 3 + 2 + 1 blocks of 4 numbers, beside W (6 x 5) and b (6)."""
    cell = Clockwork(5, hidden_size=6, periods=PERIODS)
    assert sum(parameter.numel() for parameter in cell.parameters()) == 6 * 4 + 6 * 5 + 6


def test_two_states_join_with_their_clocks() -> None:
    cell, x = Clockwork(2, hidden_size=6, periods=PERIODS), torch.randn(2, 4, 2)
    early, late = scan(cell, x[:1, :1])[1], scan(cell, x[1:])[1]
    y, _ = cell.step(cell.project(x[:, 0]), states.join([early, late]))
    apart = [cell.step(cell.project(x[n : n + 1, 0]), state)[0] for n, state in enumerate((early, late))]
    torch.testing.assert_close(y, torch.cat(apart), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("hidden_size", "periods", "problems"),
    [
        (4, (), ["cell.periods: expected one period or more in growing order, got []"]),
        (4, (2, 1), ["cell.periods: expected one period or more in growing order, got [2, 1]"]),
        (4, (1, 1), ["cell.periods: expected one period or more in growing order, got [1, 1]"]),
        (7, (1, 2, 4), ["got 7; set it to 6"]),
        (1, (1, 2, 4), ["got 1; set it to 3"]),
        (3, (4, 2), ["cell.periods: expected one period", "got 3; set it to 4"]),
    ],
)
def test_modules_that_cannot_be_are_refused(
    hidden_size: int, periods: tuple[int, ...], problems: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        Clockwork(2, hidden_size=hidden_size, periods=periods)
    for found, wanted in zip(caught.value.problems, problems, strict=True):
        assert wanted in found


@pytest.mark.parametrize("way", [scan, loop])
def test_the_clock_does_not_stop_in_16_bits(way: Callable[..., Any]) -> None:
    """In which 95 of 1155 and 96 are one number."""
    cell = Clockwork(1, hidden_size=10, periods=(1, 3, 5, 7, 11)).bfloat16()
    x = torch.zeros(1, 300, 1, dtype=torch.bfloat16)
    _, (_, clock) = way(cell, x, None, cell.initial_state(1, x))
    assert round(clock.item() * 1155) == 300
