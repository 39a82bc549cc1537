from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.cells.rhn import RHN
from rnnx.core.engine import scan


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("coupled", [True, False])
def test_it_is_the_papers_equations(depth: int, coupled: bool) -> None:
    """Zilly et al. 2016, equations 6 to 9, and below them the coupling and ``s_0 = y`` of the step before."""
    torch.manual_seed(0)
    cell = RHN(3, hidden_size=4, depth=depth, coupled=coupled).double()
    W, R, b = (parameter.detach().numpy() for parameter in cell.parameters())
    parts = 2 if coupled else 3
    W = np.split(W, parts)
    R = [np.split(layer, parts) for layer in np.split(R, depth)]
    b = [np.split(layer, parts) for layer in np.split(b, depth)]
    x, s = np.random.default_rng(0).normal(size=(5, 3)), np.array([0.5, -1.0, 2.0, 0.1])
    y, (last,) = scan(cell, torch.from_numpy(x)[None], None, (torch.from_numpy(s)[None],))
    expected = []
    for x_t in x:
        for layer in range(depth):
            first = layer == 0
            h = np.tanh(W[0] @ x_t * first + R[layer][0] @ s + b[layer][0])
            t = sigmoid(W[1] @ x_t * first + R[layer][1] @ s + b[layer][1])
            c = 1 - t if coupled else sigmoid(W[2] @ x_t * first + R[layer][2] @ s + b[layer][2])
            s = h * t + s * c
        expected.append(s)
    np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(last[0].detach(), s, rtol=0, atol=1e-14)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("coupled", [True, False])
def test_normalised_and_with_its_candidates_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], depth: int, coupled: bool
) -> None:
    """Zilly et al. 2016 with the LN of Ba et al. 2016 and the d of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        (s,) = state
        layers = zip(np.split(w["weight_hh"], depth), np.split(w["bias_hh"], depth), d, strict=True)
        for layer, (R, b, d_h) in enumerate(layers):
            sums = LN(R @ s, w[f"norms_hh.{layer}.gain"]) + b
            if layer == 0:
                sums = sums + LN(w["weight_ih"] @ x, w["norm_ih.gain"])
            h, t, *c = np.split(sums, 2 if coupled else 3)
            carry = 1 - sigmoid(t) if coupled else sigmoid(c[0])
            s = d_h * np.tanh(h) * sigmoid(t) + s * carry
        return s, (s,)

    cell = RHN(3, hidden_size=4, depth=depth, coupled=coupled, layer_norm=True)
    normalized_and_dropped(cell, step, depth)


@pytest.mark.parametrize("coupled", [True, False])
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], coupled: bool
) -> None:
    true_gradients(RHN(2, hidden_size=3, depth=2, coupled=coupled))


@pytest.mark.parametrize("coupled", [True, False])
def test_a_cell_carries_at_first_as_its_transform_bias_says(coupled: bool) -> None:
    """With all matrices at zero a layer gives ``t tanh(b) + (1 - t) s``, ``t = sigmoid(-3)``."""
    torch.manual_seed(0)
    cell = RHN(3, hidden_size=4, depth=2, coupled=coupled, transform_bias=-3.0).double()
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.weight_hh.zero_()
    s = np.array([0.5, -1.0, 2.0, 0.1])
    _, (after,) = cell.step(cell.project(torch.zeros(1, 3).double()), (torch.from_numpy(s)[None],))
    t = 1 / (1 + np.exp(3.0))
    for layer in np.split(cell.bias_hh.detach().numpy(), 2):
        s = t * np.tanh(layer[:4]) + (1 - t) * s
    np.testing.assert_allclose(after[0].detach(), s, rtol=0, atol=1e-14)
