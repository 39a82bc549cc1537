from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.cells.grid_lstm import GridLSTM
from rnnx.core.engine import scan


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def lstm(H: Any, m: Any, W: Any, b: Any) -> tuple[Any, Any]:  # noqa: N803 - the paper's letters
    """Kalchbrenner et al. 2015, section 2, equation 1; with the biases that ours has."""
    W_u, W_f, W_c, W_o = np.split(W, 4)
    b_u, b_f, b_c, b_o = np.split(b, 4)
    g_u = sigmoid(W_u @ H + b_u)
    g_f = sigmoid(W_f @ H + b_f)
    g_o = sigmoid(W_o @ H + b_o)
    g_c = np.tanh(W_c @ H + b_c)
    m = g_f * m + g_u * g_c
    h = np.tanh(g_o * m)
    return h, m


class Kalchbrenner:
    """Section 3.2's block of two dimensions, the first of them time, in a column of blocks a step."""

    def __init__(self, cell: GridLSTM, depth: int, tied: bool) -> None:
        weights = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
        self.I, self.c = weights["input.weight"], weights["input.bias"]
        self.blocks = []
        for block in range(depth):
            W, b = (weights[f"blocks.{0 if tied else block}.{name}"] for name in ("weight", "bias"))
            self.blocks.append([*zip(np.split(W, 2), np.split(b, 2), strict=True)])
        assert len(weights) == 2 + 2 * (1 if tied else depth)

    def step(self, x: Any, past: list[tuple[Any, Any]]) -> tuple[Any, list[tuple[Any, Any]]]:
        h_2, m_2 = np.split(self.I @ x + self.c, 2)
        after = []
        for (h_1, m_1), ((W_1, b_1), (W_2, b_2)) in zip(past, self.blocks, strict=True):
            H = np.concatenate([h_1, h_2])
            after.append(lstm(H, m_1, W_1, b_1))
            h_2, m_2 = lstm(H, m_2, W_2, b_2)
        return h_2, after

    def read(self, x: np.ndarray, state: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        past = list(zip(state[::2], state[1::2], strict=True))
        outputs = []
        for x_t in x:
            y, past = self.step(x_t, past)
            outputs.append(y)
        return np.array(outputs).reshape(len(x), len(state[0])), [tensor for pair in past for tensor in pair]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("depth", [1, 3])
def test_it_is_the_papers_equations(depth: int, tied: bool) -> None:
    """Rows of different length in one batch, padded with NaN, in two chunks: each is the paper's alone."""
    torch.manual_seed(0)
    cell = GridLSTM(3, hidden_size=4, depth=depth, tied=tied).double()
    paper = Kalchbrenner(cell, depth, tied)
    x = torch.randn(3, 5, 3, dtype=torch.double)
    state = tuple(torch.randn(2 * depth, 3, 4, dtype=torch.double))
    lengths = torch.tensor([4, 0, 5])
    expected = [
        paper.read(x[n, :length].numpy(), [tensor[n].numpy() for tensor in state])
        for n, length in enumerate(lengths)
    ]
    for n, length in enumerate(lengths):
        x[n, length:] = torch.nan
    first, between = scan(cell, x[:, :2], lengths.clamp(max=2), state)
    second, last = scan(cell, x[:, 2:], (lengths - 2).clamp(min=0), between)
    y = torch.cat([first, second], 1).detach().numpy()
    for n, (outputs, after) in enumerate(expected):
        np.testing.assert_allclose(y[n, : lengths[n]], outputs, rtol=0, atol=1e-12)
        assert not y[n, lengths[n] :].any()
        for tensor, wanted in zip(last, after, strict=True):
            np.testing.assert_allclose(tensor[n].detach(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tied", [False, True])
def test_normalised_and_with_its_candidates_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], tied: bool
) -> None:
    """Kalchbrenner et al. 2015 with the LN of Ba et al. 2016 and d(g) of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        h_2, m_2 = np.split(w["input.weight"] @ x + w["input.bias"], 2)
        after: list[Any] = []
        for block in range(2):
            own = f"blocks.{0 if tied else block}."
            v = {name.removeprefix(own): weight for name, weight in w.items() if name.startswith(own)}
            h_1, m_1 = state[2 * block : 2 * block + 2]
            H = np.concatenate([h_1, h_2])
            found = []
            for side, (name, m) in enumerate([("time", m_1), ("depth", m_2)]):
                W, b, gain = (np.split(v[key], 2)[side] for key in ("weight", "bias", "norm.gain"))
                g_u, g_f, g_c, g_o = np.split(LN(W @ H, gain) + b, 4)
                m = sigmoid(g_f) * m + sigmoid(g_u) * d[2 * block + side] * np.tanh(g_c)
                out = LN(m, v[f"norm_{name}.weight"], v[f"norm_{name}.bias"])
                found += [np.tanh(sigmoid(g_o) * out), m]
            h_1, m_1, h_2, m_2 = found
            after += [h_1, m_1]
        return h_2, after

    normalized_and_dropped(GridLSTM(3, hidden_size=4, tied=tied, layer_norm=True), step, candidates=4)


def test_what_it_remembers_outlives_a_dropped_candidate(keeps_its_memory: Callable[..., None]) -> None:
    keeps_its_memory(GridLSTM(3, hidden_size=8, forget_bias=1000.0), 1)


@pytest.mark.parametrize(("tied", "blocks"), [(False, 2), (True, 1)])
def test_the_forget_bias_is_added_to_the_forget_gates_of_time_and_depth_alone(
    shifted: Callable[..., Any], tied: bool, blocks: int
) -> None:
    moved = shifted(GridLSTM, {"forget_bias": 1.5}, tied=tied)
    assert moved == {f"blocks.{block}.bias": [0, 0, 1.5, 1.5, 0, 0, 0, 0] * 2 for block in range(blocks)}


@pytest.mark.parametrize(("depth", "tied"), [(1, False), (2, False), (2, True)])
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], depth: int, tied: bool
) -> None:
    true_gradients(GridLSTM(2, hidden_size=2, depth=depth, tied=tied))


def test_in_half_precision_it_stays_close() -> None:
    torch.manual_seed(0)
    cell, x = GridLSTM(3, hidden_size=8), torch.randn(2, 6, 3)
    exact, _ = scan(cell, x, torch.tensor([6, 4]))
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = scan(cell, x, torch.tensor([6, 4]))
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.05)


def test_weights_start_uniform_as_torchs() -> None:
    torch.manual_seed(0)
    for parameter in GridLSTM(50, hidden_size=100).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
