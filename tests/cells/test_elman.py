from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

from rnnx.cells.elman import Elman
from rnnx.core.engine import scan


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_it_is_torchs_rnn(same_as_torch: Callable[..., None], activation: Literal["tanh", "relu"]) -> None:
    same_as_torch(
        Elman(3, hidden_size=6, activation=activation),
        nn.RNN(3, 6, nonlinearity=activation, batch_first=True, bidirectional=True),
    )


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_it_takes_the_weights_of_torchs_cell_and_steps_like_it(activation: Literal["tanh", "relu"]) -> None:
    torch.manual_seed(0)
    theirs, ours = nn.RNNCell(3, 6, nonlinearity=activation), Elman(3, hidden_size=6, activation=activation)
    ours.load_state_dict(theirs.state_dict())
    x, h = torch.randn(2, 3), torch.randn(2, 6)
    y, (after,) = ours.step(ours.project(x), (h,))
    torch.testing.assert_close(y, theirs(x, h), rtol=0, atol=1e-6)
    assert torch.equal(y, after)


def test_the_papers_sigmoid_is_its_equation() -> None:
    torch.manual_seed(0)
    cell = Elman(3, hidden_size=4, activation="sigmoid").double()
    W, U, b, c = (parameter.detach().numpy() for parameter in cell.parameters())
    x, h = np.random.default_rng(0).normal(size=(5, 3)), np.array([0.5, -1.0, 2.0, 0.0])
    y, (last,) = scan(cell, torch.from_numpy(x)[None], None, (torch.from_numpy(h)[None],))
    expected = []
    for x_t in x:
        h = 1 / (1 + np.exp(-(W @ x_t + b + U @ h + c)))
        expected.append(h)
    np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(last[0].detach(), h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], activation: Any
) -> None:
    true_gradients(Elman(2, hidden_size=3, activation=activation))


def test_weights_start_uniform_as_torchs() -> None:
    torch.manual_seed(0)
    for parameter in Elman(50, hidden_size=100).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
