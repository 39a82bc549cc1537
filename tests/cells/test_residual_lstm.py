from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.cells.residual_lstm import ResidualLSTM
from rnnx.core.engine import scan


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


class Kim:
    """Kim et al. 2017, section 3: the residual LSTM, one vector a step."""

    def __init__(self, cell: ResidualLSTM) -> None:
        weights = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
        self.W_x = dict(zip("ifco", np.split(weights["weight_ih"], 4), strict=True))
        self.W_h = dict(zip("ifco", np.split(weights["weight_hh"], 4), strict=True))
        self.b = dict(zip("ifco", np.split(weights["bias_ih"] + weights["bias_hh"], 4), strict=True))
        self.w_c = dict(zip("ifo", np.split(weights["weight_ch"], 3), strict=True))
        self.W_p = weights["weight_hr"]
        if cell.input_size == cell.output_size:
            assert "weight_ir" not in weights
            self.W_shortcut = np.eye(cell.input_size)
        else:
            self.W_shortcut = weights["weight_ir"]

    def step(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        W_x, W_h, w_c, b = self.W_x, self.W_h, self.w_c, self.b
        i = sigmoid(W_x["i"] @ x + W_h["i"] @ h + w_c["i"] * c + b["i"])
        f = sigmoid(W_x["f"] @ x + W_h["f"] @ h + w_c["f"] * c + b["f"])
        c = f * c + i * np.tanh(W_x["c"] @ x + W_h["c"] @ h + b["c"])
        o = sigmoid(W_x["o"] @ x + W_h["o"] @ h + w_c["o"] * c + b["o"])
        r = np.tanh(c)
        m = self.W_p @ r
        h = o * (m + self.W_shortcut @ x)
        return h, c

    def read(self, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, Any, Any]:
        outputs = []
        for x_t in x:
            h, c = self.step(x_t, h, c)
            outputs.append(h)
        return np.array(outputs).reshape(len(x), len(c)), h, c


@pytest.mark.parametrize("input_size", [3, 4], ids=["projected", "identity"])
def test_it_is_the_papers_equations(input_size: int) -> None:
    """Rows of different length in one batch, padded with NaN, in two chunks: each is the paper's alone."""
    torch.manual_seed(0)
    cell = ResidualLSTM(input_size, hidden_size=4).double()
    x = torch.randn(3, 5, input_size, dtype=torch.double)
    h, c = torch.randn(2, 3, 4, dtype=torch.double)
    lengths = torch.tensor([4, 0, 5])
    expected = [
        Kim(cell).read(x[n, :length].numpy(), h[n].numpy(), c[n].numpy()) for n, length in enumerate(lengths)
    ]
    for n, length in enumerate(lengths):
        x[n, length:] = torch.nan
    first, between = scan(cell, x[:, :2], lengths.clamp(max=2), (h, c))
    second, last = scan(cell, x[:, 2:], (lengths - 2).clamp(min=0), between)
    y = torch.cat([first, second], 1).detach().numpy()
    for n, (outputs, *after) in enumerate(expected):
        np.testing.assert_allclose(y[n, : lengths[n]], outputs, rtol=0, atol=1e-12)
        assert not y[n, lengths[n] :].any()
        for tensor, wanted in zip(last, after, strict=True):
            np.testing.assert_allclose(tensor[n].detach(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("input_size", [3, 4], ids=["projected", "identity"])
def test_normalised_and_with_its_candidate_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], input_size: int
) -> None:
    """Kim 2017 with the LN of Ba et al. 2016 and d(g) of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        (h, c), (d_g,) = state, d
        sums = LN(w["weight_hh"] @ h, w["norm_hh.gain"]) + LN(w["weight_ih"] @ x, w["norm_ih.gain"])
        i, f, g, o = np.split(sums + w["bias_ih"] + w["bias_hh"], 4)
        p_i, p_f, p_o = np.split(w["weight_ch"], 3)
        c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * d_g * np.tanh(g)
        m = w["weight_hr"] @ np.tanh(LN(c, w["norm_c.weight"], w["norm_c.bias"]))
        h = sigmoid(o + p_o * c) * (m + w.get("weight_ir", np.eye(4)) @ x)
        return h, (h, c)

    normalized_and_dropped(ResidualLSTM(input_size, hidden_size=4, layer_norm=True), step)


def test_what_it_remembers_outlives_a_dropped_candidate(keeps_its_memory: Callable[..., None]) -> None:
    keeps_its_memory(ResidualLSTM(3, hidden_size=8, forget_bias=1000.0), 1)


def test_the_forget_bias_is_added_to_the_forget_gate_alone(shifted: Callable[..., Any]) -> None:
    assert shifted(ResidualLSTM, {"forget_bias": 1.5}) == {"bias_ih": [0, 0, 1.5, 1.5, 0, 0, 0, 0]}


@pytest.mark.parametrize("input_size", [2, 3], ids=["projected", "identity"])
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], input_size: int
) -> None:
    true_gradients(ResidualLSTM(input_size, hidden_size=3))


def test_an_open_gate_and_no_projection_leave_the_input() -> None:
    cell = ResidualLSTM(4, hidden_size=4)
    with torch.no_grad():
        cell.weight_hr.zero_()
        cell.bias_ih[12:] = 1000
    x = torch.randn(2, 4)
    y, _ = cell.step(cell.project(x), cell.initial_state(2, x))
    torch.testing.assert_close(y, x)


def test_in_half_precision_it_stays_close() -> None:
    torch.manual_seed(0)
    cell, x = ResidualLSTM(3, hidden_size=8), torch.randn(2, 6, 3)
    exact, _ = scan(cell, x, torch.tensor([6, 4]))
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = scan(cell, x, torch.tensor([6, 4]))
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.05)


def test_weights_start_uniform_as_torchs() -> None:
    torch.manual_seed(0)
    for parameter in ResidualLSTM(50, hidden_size=100).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
