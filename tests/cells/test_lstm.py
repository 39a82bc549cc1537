from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from rnnx.cells.lstm import LSTM


def test_it_is_torchs_lstm(same_as_torch: Callable[..., None]) -> None:
    same_as_torch(LSTM(3, hidden_size=6), nn.LSTM(3, 6, batch_first=True, bidirectional=True))


def test_it_takes_the_weights_of_torchs_cell_and_steps_like_it() -> None:
    torch.manual_seed(0)
    theirs, ours = nn.LSTMCell(3, 6), LSTM(3, hidden_size=6)
    ours.load_state_dict(theirs.state_dict())
    x, h, c = torch.randn(2, 3), torch.randn(2, 6), torch.randn(2, 6)
    y, state = ours.step(ours.project(x), (h, c))
    torch.testing.assert_close(state, theirs(x, (h, c)), rtol=0, atol=1e-6)
    assert torch.equal(y, state[0])


def test_gradients_are_those_of_finite_differences(true_gradients: Callable[..., None]) -> None:
    true_gradients(LSTM(2, hidden_size=3))


def test_weights_start_uniform_as_torchs() -> None:
    torch.manual_seed(0)
    for parameter in LSTM(50, hidden_size=100).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
