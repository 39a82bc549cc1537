from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator

from rnnx.cells.peephole_lstm import PeepholeLSTM
from rnnx.core.engine import scan


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def by_onnx(cell: PeepholeLSTM, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> list[np.ndarray]:
    """``Y``, ``Y_h`` and ``Y_c`` of ONNX's LSTM: its gates stand ``i o f c``, its peepholes ``i o f``."""
    weights = {name.removeprefix("lstm."): w.detach().numpy() for name, w in cell.named_parameters()}

    def iofc(weight: np.ndarray) -> np.ndarray:
        i, f, g, o = np.split(weight, 4)
        return np.concatenate([i, o, f, g])

    p_i, p_f, p_o = np.split(weights["weight_ch"], 3)
    inputs = {
        "X": x.transpose(1, 0, 2),
        "W": iofc(weights["weight_ih"])[None],
        "R": iofc(weights["weight_hh"])[None],
        "B": np.concatenate([iofc(weights["bias_ih"]), iofc(weights["bias_hh"])])[None],
        "initial_h": h[None],
        "initial_c": c[None],
        "P": np.concatenate([p_i, p_o, p_f])[None],
    }
    names = ["X", "W", "R", "B", "", "initial_h", "initial_c", "P"]
    node = helper.make_node("LSTM", names, ["Y", "Y_h", "Y_c"], hidden_size=cell.output_size)
    return ReferenceEvaluator(node).run(None, inputs)


def test_it_is_onnxs_lstm_with_peepholes() -> None:
    torch.manual_seed(0)
    cell = PeepholeLSTM(3, hidden_size=4).double()
    x, h, c = (torch.randn(*shape, dtype=torch.double) for shape in ((2, 6, 3), (2, 4), (2, 4)))
    y, (h_last, c_last) = scan(cell, x, None, (h, c))
    Y, Y_h, Y_c = by_onnx(cell, x.numpy(), h.numpy(), c.numpy())
    np.testing.assert_allclose(y.detach(), Y[:, 0].transpose(1, 0, 2), rtol=0, atol=1e-12)
    np.testing.assert_allclose(h_last.detach(), Y_h[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(c_last.detach(), Y_c[0], rtol=0, atol=1e-12)


def test_normalised_and_with_its_candidate_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None],
) -> None:
    """The LSTM of Ba et al. 2016 with bare peepholes, and d(g) of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        w = {name.removeprefix("lstm."): weight for name, weight in w.items()}
        (h, c), (d_g,) = state, d
        sums = LN(w["weight_hh"] @ h, w["norm_hh.gain"]) + LN(w["weight_ih"] @ x, w["norm_ih.gain"])
        i, f, g, o = np.split(sums + w["bias_ih"] + w["bias_hh"], 4)
        p_i, p_f, p_o = np.split(w["weight_ch"], 3)
        c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * d_g * np.tanh(g)
        h = sigmoid(o + p_o * c) * np.tanh(LN(c, w["norm_c.weight"], w["norm_c.bias"]))
        return h, (h, c)

    normalized_and_dropped(PeepholeLSTM(3, hidden_size=4, layer_norm=True), step)


def test_what_it_remembers_outlives_a_dropped_candidate(keeps_its_memory: Callable[..., None]) -> None:
    keeps_its_memory(PeepholeLSTM(3, hidden_size=8, forget_bias=1000.0), 1)


def test_gradients_are_those_of_finite_differences(true_gradients: Callable[..., None]) -> None:
    true_gradients(PeepholeLSTM(2, hidden_size=3))


def test_the_forget_bias_opens_the_forget_gate() -> None:
    """With all weights at zero ``f`` is the bias alone, and the memory after a step is ``sigmoid(2) c``."""
    torch.manual_seed(0)
    without = PeepholeLSTM(2, hidden_size=3)
    torch.manual_seed(0)
    cell = PeepholeLSTM(2, hidden_size=3, forget_bias=2.0)
    with torch.no_grad():
        for ours, base in zip(cell.parameters(), without.parameters(), strict=True):
            ours -= base
    _, (_, c) = cell.step(cell.project(torch.ones(1, 2)), (torch.ones(1, 3), torch.ones(1, 3)))
    torch.testing.assert_close(c, torch.full((1, 3), 0.8807971), rtol=0, atol=1e-6)
