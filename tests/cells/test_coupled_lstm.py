from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator

from rnnx.cells.coupled_lstm import CoupledLSTM
from rnnx.core.engine import scan


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def by_onnx(
    cell: CoupledLSTM, peepholes: bool, x: np.ndarray, h: np.ndarray, c: np.ndarray
) -> list[np.ndarray]:
    """``Y``, ``Y_h`` and ``Y_c`` of ONNX's LSTM: its gates stand ``i o f c``, its peepholes ``i o f``.

    The reference implementation of ONNX ignores ``input_forget``. So the gates are tied by the weights: those
    of ``i`` are those of ``f`` with the other sign, and ``sigmoid(-a) = 1 - sigmoid(a)``.
    """
    weights = {name.removeprefix("lstm."): w.detach().numpy() for name, w in cell.named_parameters()}

    def iofc(weight: np.ndarray) -> np.ndarray:
        f, g, o = np.split(weight, 3)
        return np.concatenate([-f, o, f, g])

    p_f, p_o = np.split(weights["weight_ch"] if peepholes else np.zeros(2 * cell.output_size), 2)
    inputs = {
        "X": x.transpose(1, 0, 2),
        "W": iofc(weights["weight_ih"])[None],
        "R": iofc(weights["weight_hh"])[None],
        "B": np.concatenate([iofc(weights["bias_ih"]), iofc(weights["bias_hh"])])[None],
        "initial_h": h[None],
        "initial_c": c[None],
        "P": np.concatenate([-p_f, p_o, p_f])[None],
    }
    names = ["X", "W", "R", "B", "", "initial_h", "initial_c", "P"]
    node = helper.make_node("LSTM", names, ["Y", "Y_h", "Y_c"], hidden_size=cell.output_size)
    return ReferenceEvaluator(node).run(None, inputs)


@pytest.mark.parametrize("peepholes", [False, True])
def test_it_is_onnxs_lstm_with_the_input_gate_tied_to_the_forget_gate(peepholes: bool) -> None:
    torch.manual_seed(0)
    cell = CoupledLSTM(3, hidden_size=4, peepholes=peepholes).double()
    x, h, c = (torch.randn(*shape, dtype=torch.double) for shape in ((2, 6, 3), (2, 4), (2, 4)))
    y, (h_last, c_last) = scan(cell, x, None, (h, c))
    Y, Y_h, Y_c = by_onnx(cell, peepholes, x.numpy(), h.numpy(), c.numpy())
    np.testing.assert_allclose(y.detach(), Y[:, 0].transpose(1, 0, 2), rtol=0, atol=1e-12)
    np.testing.assert_allclose(h_last.detach(), Y_h[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(c_last.detach(), Y_c[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("peepholes", [False, True])
def test_normalised_and_with_its_candidate_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], peepholes: bool
) -> None:
    """The LSTM of Ba et al. 2016 with i = 1 - f, and d(g) of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        w = {name.removeprefix("lstm."): weight for name, weight in w.items()}
        (h, c), (d_g,) = state, d
        sums = LN(w["weight_hh"] @ h, w["norm_hh.gain"]) + LN(w["weight_ih"] @ x, w["norm_ih.gain"])
        f, g, o = np.split(sums + w["bias_ih"] + w["bias_hh"], 3)
        p_f, p_o = np.split(w["weight_ch"] if peepholes else np.zeros(2 * len(c)), 2)
        f = sigmoid(f + p_f * c)
        c = f * c + (1 - f) * d_g * np.tanh(g)
        h = sigmoid(o + p_o * c) * np.tanh(LN(c, w["norm_c.weight"], w["norm_c.bias"]))
        return h, (h, c)

    normalized_and_dropped(CoupledLSTM(3, hidden_size=4, peepholes=peepholes, layer_norm=True), step)


@pytest.mark.parametrize("peepholes", [False, True])
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], peepholes: bool
) -> None:
    true_gradients(CoupledLSTM(2, hidden_size=3, peepholes=peepholes))


def test_what_is_forgotten_is_written() -> None:
    """A large forget bias keeps the memory; a very negative one replaces it by the candidate, below 1."""
    memory = torch.full((1, 3), 7.0)
    for bias, low, high in ((50.0, 7.0, 7.0), (-50.0, -1.0, 1.0)):
        cell = CoupledLSTM(2, hidden_size=3, forget_bias=bias)
        _, (_, c) = cell.step(cell.project(torch.ones(1, 2)), (torch.ones(1, 3), memory))
        assert (c >= low).all()
        assert (c <= high).all()


def test_the_forget_bias_is_added_to_the_forget_gate_alone(shifted: Callable[..., Any]) -> None:
    assert shifted(CoupledLSTM, {"forget_bias": 1.5}) == {"lstm.bias_ih": [1.5, 1.5, 0, 0, 0, 0]}
