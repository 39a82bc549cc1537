from __future__ import annotations

import torch

from rnnx.core.testing.cells.gradients import gradients


def test_output_and_state_count_by_their_squares_and_what_is_not_touched_gets_zeros() -> None:
    x = torch.tensor([[[1.0], [2.0]]], requires_grad=True)
    idle = torch.ones(3, requires_grad=True)
    y, state = 3 * x, (x[:, 1] * 2, torch.ones(1, 1))
    of_x, of_idle = gradients((y, state), [x, idle])
    assert of_x.flatten().tolist() == [18, 36 + 16]  # 2 * 9 x, and 2 * 4 x for the last
    assert of_idle.tolist() == [0, 0, 0]
