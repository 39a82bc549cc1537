"""The norm of a step's gradients: of those that an optimiser steps, and no others; found once."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import pytest
import torch
from torch import nn

from rnnx.core.running.gradients import GradientNorm
from rnnx.core.running.optimizers import SGD
from tests.core.test_task import NET, Mean, fit


def test_it_is_of_the_parameters_that_are_stepped() -> None:
    """The squares of 2, 3 and 6 add up to 49; neither what is not stepped counts nor what has no gradient."""
    first, second = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    other, unused = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [first, unused]}, {"params": [second], "lr": 0.1}], lr=1.0)
    (first @ torch.tensor([2.0, 3.0]) + 6 * second.sum() + 100 * other.sum()).backward()
    assert GradientNorm().of(optimizer).item() == 7


def test_it_stays_until_it_is_forgotten() -> None:
    weight = nn.Parameter(torch.zeros(1))
    norm, optimizer = GradientNorm(), torch.optim.SGD([weight], lr=1.0)
    (3 * weight).sum().backward()
    assert norm.of(optimizer).item() == 3
    weight.grad = torch.ones(1)  # as clipping makes it smaller
    assert norm.of(optimizer).item() == 3
    norm.forget()
    assert norm.of(optimizer).item() == 1


@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",
    "ignore:GPU available but not used",
)
@pytest.mark.parametrize(("batches", "expected"), [(1, [8.0, 7.75, 7.5]), (3, [8.0])])
def test_a_task_has_that_of_each_step(tmp_path: Path, batches: int, expected: list[float]) -> None:
    """The gradient is as large as the guess is away from 8, and clipped to a quarter each step is one."""
    task, found = Mean(NET, {}), list[float]()
    task.optimizer = SGD(lr=1.0)

    class Asks(L.Callback):
        def on_before_optimizer_step(
            self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
        ) -> None:
            found.append(task.gradient_norm.of(optimizer).item())

    fit(
        task,
        tmp_path,
        *[[8.0]] * 3,
        callbacks=[Asks()],
        gradient_clip_val=0.25,
        accumulate_grad_batches=batches,
        log_every_n_steps=1,
    )
    assert found == pytest.approx(expected, rel=1e-4)
    assert task.guess.item() == pytest.approx(0.25 * len(expected), rel=1e-4)
