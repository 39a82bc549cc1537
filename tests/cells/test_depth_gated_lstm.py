from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator

from rnnx.cells.depth_gated_lstm import DepthGatedLSTM
from rnnx.core.engine import scan


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def iofc(weight: np.ndarray) -> np.ndarray:
    """The order of ONNX's gates."""
    i, f, g, o = np.split(weight, 4)
    return np.concatenate([i, o, f, g])


class Yao:
    """Yao et al. 2015: section 2 (the LSTM of a layer) and section 3 (the depth gate), one vector a step."""

    def __init__(self, cell: DepthGatedLSTM, layers: int) -> None:
        weights = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
        self.layers = []
        for layer in range(layers):
            prefix = "first." if layer == 0 else f"upper.{layer - 1}."
            own = {name: w for name, w in weights.items() if name.startswith(prefix)}
            W_x = dict(zip("ifco", np.split(own[prefix + "weight_ih"], 4), strict=True))
            W_h = dict(zip("ifco", np.split(own[prefix + "weight_hh"], 4), strict=True))
            b = own[prefix + "bias_ih"] + own[prefix + "bias_hh"]
            w_c = dict(zip("ifo", np.split(own[prefix + "weight_ch"], 3), strict=True))
            self.layers.append((W_x, W_h, w_c, dict(zip("ifco", np.split(b, 4), strict=True))))
        self.gates = [
            tuple(weights[f"gates.{n}.{name}"] for name in ("weight_ih", "weight_ch", "weight_lh", "bias"))
            for n in range(layers - 1)
        ]

    def step(self, x: Any, past: list[tuple[Any, Any]]) -> tuple[Any, list[tuple[Any, Any]]]:
        after: list[tuple[Any, Any]] = []
        for layer, (W_x, W_h, w_c, b) in enumerate(self.layers):
            h, c_past = past[layer]
            i = sigmoid(W_x["i"] @ x + W_h["i"] @ h + w_c["i"] * c_past + b["i"])
            f = sigmoid(W_x["f"] @ x + W_h["f"] @ h + w_c["f"] * c_past + b["f"])
            c = f * c_past + i * np.tanh(W_x["c"] @ x + W_h["c"] @ h + b["c"])
            if layer:
                W_xd, w_cd, w_ld, b_d = self.gates[layer - 1]
                c_below = after[layer - 1][1]
                d = sigmoid(b_d + W_xd @ x + w_cd * c_past + w_ld * c_below)
                c = d * c_below + c
            o = sigmoid(W_x["o"] @ x + W_h["o"] @ h + w_c["o"] * c + b["o"])
            h = o * np.tanh(c)
            after.append((h, c))
            x = h
        return x, after

    def read(self, x: np.ndarray, state: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        past = list(zip(state[::2], state[1::2], strict=True))
        outputs = []
        for x_t in x:
            y, past = self.step(x_t, past)
            outputs.append(y)
        return np.array(outputs).reshape(len(x), len(state[0])), [tensor for pair in past for tensor in pair]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_it_is_the_papers_equations(layers: int) -> None:
    """Rows of different length in one batch, padded with NaN, in two chunks: each is the paper's alone."""
    torch.manual_seed(0)
    cell = DepthGatedLSTM(3, hidden_size=4, layers=layers).double()
    paper = Yao(cell, layers)
    x = torch.randn(3, 5, 3, dtype=torch.double)
    state = tuple(torch.randn(2 * layers, 3, 4, dtype=torch.double))
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


def test_with_closed_depth_gates_it_is_onnxs_lstm_upon_its_lstm() -> None:
    torch.manual_seed(0)
    cell = DepthGatedLSTM(3, hidden_size=4, layers=2).double()
    with torch.no_grad():
        cell.gates[0].bias.fill_(-1000)
    x = torch.randn(2, 5, 3, dtype=torch.double)
    y, _ = scan(cell, x)
    expected = x.numpy().transpose(1, 0, 2)
    for layer in (cell.first, cell.upper[0]):
        weights = {name: w.detach().numpy() for name, w in layer.named_parameters()}
        p_i, p_f, p_o = np.split(weights["weight_ch"], 3)
        inputs = {
            "X": expected,
            "W": iofc(weights["weight_ih"])[None],
            "R": iofc(weights["weight_hh"])[None],
            "B": np.concatenate([iofc(weights["bias_ih"]), iofc(weights["bias_hh"])])[None],
            "P": np.concatenate([p_i, p_o, p_f])[None],
        }
        node = helper.make_node("LSTM", ["X", "W", "R", "B", "", "", "", "P"], ["Y"], hidden_size=4)
        expected = ReferenceEvaluator(node).run(None, inputs)[0][:, 0]
    np.testing.assert_allclose(y.detach(), expected.transpose(1, 0, 2), rtol=0, atol=1e-12)


def test_an_open_depth_gate_carries_the_memory_up_whole() -> None:
    """The upper layer forgets nothing, writes nothing and had nothing: its memory is the lower layer's."""
    torch.manual_seed(0)
    cell = DepthGatedLSTM(3, hidden_size=4, layers=2)
    with torch.no_grad():
        cell.gates[0].bias.fill_(1000)
        cell.upper[0].bias_ih[:4] = -1000
    x = torch.randn(2, 3)
    _, (_, lower, _, upper) = cell.step(cell.project(x), cell.initial_state(2, x))
    torch.testing.assert_close(upper, lower)


@pytest.mark.parametrize("layers", [1, 3])
def test_normalised_and_with_its_candidates_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], layers: int
) -> None:
    """Yao et al. 2015 with the LN of Ba et al. 2016 and d(g) of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        after: list[Any] = []
        for layer, d_g in enumerate(d):
            own = "first." if layer == 0 else f"upper.{layer - 1}."
            v = {name.removeprefix(own): weight for name, weight in w.items() if name.startswith(own)}
            h, c_past = state[2 * layer : 2 * layer + 2]
            sums = LN(v["weight_hh"] @ h, v["norm_hh.gain"]) + LN(v["weight_ih"] @ x, v["norm_ih.gain"])
            i, f, g, o = np.split(sums + v["bias_ih"] + v["bias_hh"], 4)
            p_i, p_f, p_o = np.split(v["weight_ch"], 3)
            c = sigmoid(f + p_f * c_past) * c_past + sigmoid(i + p_i * c_past) * d_g * np.tanh(g)
            if layer:
                W_d, w_c, w_l, b_d, gain = (
                    w[f"gates.{layer - 1}.{name}"]
                    for name in ("weight_ih", "weight_ch", "weight_lh", "bias", "norm_ih.gain")
                )
                c_below = after[-1]
                c = c + sigmoid(LN(W_d @ x, gain) + b_d + w_c * c_past + w_l * c_below) * c_below
            x = sigmoid(o + p_o * c) * np.tanh(LN(c, v["norm_c.weight"], v["norm_c.bias"]))
            after += [x, c]
        return x, after

    normalized_and_dropped(DepthGatedLSTM(3, hidden_size=4, layers=layers, layer_norm=True), step, layers)


def test_what_it_remembers_outlives_a_dropped_candidate(keeps_its_memory: Callable[..., None]) -> None:
    keeps_its_memory(DepthGatedLSTM(3, hidden_size=8, layers=2, forget_bias=1000.0), 1)


def test_the_forget_bias_is_added_to_the_forget_gates_alone(shifted: Callable[..., Any]) -> None:
    rows = [0, 0, 1.5, 1.5, 0, 0, 0, 0]
    moved = shifted(DepthGatedLSTM, {"forget_bias": 1.5}, layers=3)
    assert moved == {"first.bias_ih": rows, "upper.0.bias_ih": rows, "upper.1.bias_ih": rows}


@pytest.mark.parametrize("layers", [1, 3])
def test_gradients_are_those_of_finite_differences(true_gradients: Callable[..., None], layers: int) -> None:
    true_gradients(DepthGatedLSTM(2, hidden_size=2, layers=layers))


def test_in_half_precision_it_stays_close() -> None:
    torch.manual_seed(0)
    cell, x = DepthGatedLSTM(3, hidden_size=8), torch.randn(2, 6, 3)
    exact, _ = scan(cell, x, torch.tensor([6, 4]))
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = scan(cell, x, torch.tensor([6, 4]))
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.05)


def test_weights_start_uniform_as_torchs() -> None:
    torch.manual_seed(0)
    for parameter in DepthGatedLSTM(50, hidden_size=100).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
