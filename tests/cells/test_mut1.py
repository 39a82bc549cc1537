from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.cells.mut1 import MUT1
from rnnx.core.engine import scan


def sigm(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize("input_size", [4, 3], ids=["as wide as h", "of another width"])
def test_it_is_the_papers_equations(input_size: int) -> None:
    """Section 3.4, MUT1, each line as printed; V is ours, for an x of another width."""
    torch.manual_seed(0)
    cell = MUT1(input_size, hidden_size=4).double()
    w = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    W_xz, W_xr = np.split(w["weight_ih"], 2)
    W_hr, W_hh = np.split(w["weight_hh"], 2)
    b_z, b_r, b_h = np.split(w["bias_ih"], 3)
    V = w.get("weight_ir", np.eye(4))
    x, h = np.random.default_rng(0).normal(size=(5, input_size)), np.array([0.5, -1.0, 2.0, 0.1])
    y, (last,) = scan(cell, torch.from_numpy(x)[None], None, (torch.from_numpy(h)[None],))
    expected = []
    for x_t in x:
        z = sigm(W_xz @ x_t + b_z)
        r = sigm(W_xr @ x_t + W_hr @ h + b_r)
        h = np.tanh(W_hh @ (r * h) + np.tanh(V @ x_t) + b_h) * z + h * (1 - z)
        expected.append(h)
    np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(last[0].detach(), h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("input_size", [4, 3], ids=["as wide as h", "of another width"])
def test_normalised_and_with_its_candidate_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], input_size: int
) -> None:
    """Section 3.4, MUT1, with the LN of Ba et al. 2016 and the d of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        (h,), (d_n,) = state, d
        W_hr, W_hh = np.split(w["weight_hh"], 2)
        b_z, b_r, b_h = np.split(w["bias_ih"], 3)
        V = w.get("weight_ir", np.eye(4))
        a_z, a_r = np.split(LN(w["weight_ih"] @ x, w["norm_ih.gain"]), 2)
        z = sigm(a_z + b_z)
        r = sigm(a_r + LN(W_hr @ h, w["norm_hh.gain"]) + b_r)
        n = np.tanh(LN(W_hh @ (r * h), w["norm_rh.gain"]) + np.tanh(V @ x) + b_h)
        h = d_n * n * z + h * (1 - z)
        return h, (h,)

    normalized_and_dropped(MUT1(input_size, hidden_size=4, layer_norm=True), step)


@pytest.mark.parametrize("input_size", [3, 2], ids=["as wide as h", "of another width"])
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], input_size: int
) -> None:
    true_gradients(MUT1(input_size, hidden_size=3))


def test_only_what_the_equations_name_is_a_weight() -> None:
    """By hand: W of z and r, U of r and h, b of all three; V only where the widths differ."""
    assert [sum(p.numel() for p in MUT1(size, hidden_size=4).parameters()) for size in (4, 3)] == [
        2 * 4 * 4 + 2 * 4 * 4 + 3 * 4,
        2 * 4 * 3 + 2 * 4 * 4 + 3 * 4 + 4 * 3,
    ]
