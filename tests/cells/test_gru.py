from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rnnx.cells.gru import GRU
from rnnx.core.engine import scan
from rnnx.core.errors import UsageError


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def test_it_is_torchs_gru(same_as_torch: Callable[..., None]) -> None:
    same_as_torch(GRU(3, hidden_size=6), nn.GRU(3, 6, batch_first=True, bidirectional=True))


def test_it_takes_the_weights_of_torchs_cell_and_steps_like_it() -> None:
    torch.manual_seed(0)
    theirs, ours = nn.GRUCell(3, 6), GRU(3, hidden_size=6)
    ours.load_state_dict(theirs.state_dict())
    x, h = torch.randn(2, 3), torch.randn(2, 6)
    y, (after,) = ours.step(ours.project(x), (h,))
    torch.testing.assert_close(y, theirs(x, h), rtol=0, atol=1e-6)
    assert torch.equal(y, after)


def test_reset_before_the_product_is_the_papers_equations() -> None:
    """Cho et al. 2014, equations 5 to 8, with the biases that ONNX's GRU has (linear_before_reset=0)."""
    torch.manual_seed(0)
    cell = GRU(3, hidden_size=4, reset="before").double()
    W, U, b, c = (parameter.detach().numpy() for parameter in cell.parameters())
    (W_r, W_z, W_n), (U_r, U_z, U_n) = np.split(W, 3), np.split(U, 3)
    (b_r, b_z, b_n), (c_r, c_z, c_n) = np.split(b, 3), np.split(c, 3)
    x, h = np.random.default_rng(0).normal(size=(5, 3)), np.array([0.5, -1.0, 2.0, 0.1])
    y, (last,) = scan(cell, torch.from_numpy(x)[None], None, (torch.from_numpy(h)[None],))
    expected = []
    for x_t in x:
        r = sigmoid(W_r @ x_t + U_r @ h + b_r + c_r)
        z = sigmoid(W_z @ x_t + U_z @ h + b_z + c_z)
        n = np.tanh(W_n @ x_t + U_n @ (r * h) + b_n + c_n)
        h = z * h + (1 - z) * n
        expected.append(h)
    np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(last[0].detach(), h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("reset", ["before", "after"])
def test_normalised_and_with_its_candidate_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], reset: Any
) -> None:
    """Ba et al. 2016, the GRU of the supplementary material (it resets after); Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        (h,), (d_n,) = state, d
        (W, W_n), (U, U_n), (b, b_n), (c, c_n), (alpha_1, alpha_2) = (
            np.split(w[name], [8])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "norm_ih.gain")
        )
        if reset == "after":
            alpha_3, alpha_4 = np.split(w["norm_hh.gain"], [8])
        else:
            alpha_3, alpha_4 = w["norm_hh.gain"], w["norm_rh.gain"]
        r, z = np.split(sigmoid(LN(W @ x, alpha_1) + b + LN(U @ h, alpha_3) + c), 2)
        if reset == "after":
            n = np.tanh(LN(W_n @ x, alpha_2) + b_n + r * (LN(U_n @ h, alpha_4) + c_n))
        else:
            n = np.tanh(LN(W_n @ x, alpha_2) + b_n + LN(U_n @ (r * h), alpha_4) + c_n)
        h = z * h + (1 - z) * d_n * n
        return h, (h,)

    normalized_and_dropped(GRU(3, hidden_size=4, reset=reset, layer_norm=True), step)


@pytest.mark.parametrize("reset", ["before", "after"])
def test_the_update_bias_is_added_to_the_update_gate_alone(shifted: Callable[..., Any], reset: Any) -> None:
    assert shifted(GRU, {"update_bias": 1.5}, reset=reset) == {"bias_ih": [0, 0, 1.5, 1.5, 0, 0]}


def test_the_update_bias_keeps_the_past() -> None:
    cell, h = GRU(3, hidden_size=4, update_bias=1000.0), torch.randn(2, 4)
    torch.testing.assert_close(cell.step(cell.project(torch.randn(2, 3)), (h,))[0], h)


@torch.no_grad()
def test_torchs_kernel_reads_where_it_is_exact() -> None:
    x, state = torch.randn(2, 4, 3).double(), (torch.zeros(2, 5).double(),)
    found = [
        GRU(3, hidden_size=5, **options).double().unroll(x, None, state) is not None
        for options in ({}, {"update_bias": 1.0}, {"reset": "before"}, {"layer_norm": True})
    ]
    assert found == [True, True, False, False]


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("reset", ["before", "after"])
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], reset: Any, layer_norm: bool
) -> None:
    true_gradients(GRU(2, hidden_size=3, reset=reset, layer_norm=layer_norm))


def test_weights_start_uniform_as_torchs() -> None:
    torch.manual_seed(0)
    for parameter in GRU(50, hidden_size=100).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)


def test_another_reset_is_refused_from_python_too() -> None:
    with pytest.raises(UsageError, match=r"^cell\.reset: expected one of before, after, got 'befor'$"):
        GRU(3, hidden_size=4, reset="befor")  # type: ignore[arg-type]
