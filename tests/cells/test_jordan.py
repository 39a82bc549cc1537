from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.cells.jordan import Jordan
from rnnx.core.engine import scan

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "relu": lambda a: np.maximum(a, 0),
}


@pytest.mark.parametrize(("f", "g"), list(product(FUNCTIONS, FUNCTIONS)))
def test_its_output_is_its_past(f: Any, g: Any) -> None:
    torch.manual_seed(0)
    cell = Jordan(3, hidden_size=4, activation=f, output_activation=g).double()
    weights = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    x, y_t = np.random.default_rng(0).normal(size=(5, 3)), np.array([0.5, -1.0, 2.0, 0.1])
    y, (last,) = scan(cell, torch.from_numpy(x)[None], None, (torch.from_numpy(y_t)[None],))
    expected = []
    for x_t in x:
        h = FUNCTIONS[f](weights["weight_ih"] @ x_t + weights["weight_yh"] @ y_t + weights["bias_h"])
        y_t = FUNCTIONS[g](weights["weight_hy"] @ h + weights["bias_y"])
        expected.append(y_t)
    np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(last[0].detach(), y_t, rtol=0, atol=1e-14)


def test_both_functions_are_tanh_by_default() -> None:
    cell = Jordan(3)
    assert (cell.activation, cell.output_activation) == ("tanh", "tanh")


def test_gradients_are_those_of_finite_differences(true_gradients: Callable[..., None]) -> None:
    true_gradients(Jordan(2, hidden_size=3, output_activation="sigmoid"))


def test_weights_start_uniform_in_the_range_of_torchs() -> None:
    torch.manual_seed(0)
    for parameter in Jordan(50, hidden_size=100).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
