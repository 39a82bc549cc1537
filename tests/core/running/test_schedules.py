from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from rnnx.core.running.schedules import Constant, Cosine, Exponential, InverseSqrt, Plateau, Schedule


def optimizer(lr: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rates(schedule: Schedule, count: int, steps: int = 0, lr: float = 1.0) -> list[float]:
    """The learning rates of the first moves."""
    its = optimizer(lr)
    scheduler: Any = schedule.build(its, steps, "min").scheduler
    found = []
    for _ in range(count):
        found.append(its.param_groups[0]["lr"])
        its.step()
        scheduler.step()
    return found


def plateau(schedule: Plateau, metrics: list[float], mode: Any = "min") -> list[float]:
    """The learning rate after each validation."""
    its = optimizer()
    scheduler: Any = schedule.build(its, 0, mode).scheduler
    found = []
    for metric in metrics:
        its.step()
        scheduler.step(metric)
        found.append(its.param_groups[0]["lr"])
    return found


def test_constant_is_the_same_throughout() -> None:
    assert rates(Constant(), 5, lr=0.3) == [0.3] * 5


def test_constant_warms_up_in_a_line() -> None:
    assert rates(Constant(warmup=4), 7, lr=0.5) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5])


def test_exponential_is_zarembas() -> None:
    """Zaremba et al. 2014, the small model: the rate is 1, after 4 epochs it is halved each epoch."""
    assert rates(Exponential(factor=0.5, hold=4), 8) == [1, 1, 1, 1, 0.5, 0.25, 0.125, 0.0625]


def test_exponential_is_zarembas_medium_model() -> None:
    """6 epochs, then divided by 1.2."""
    expected = [1.0] * 6 + [1 / 1.2, 1 / 1.44, 1 / 1.728]
    assert rates(Exponential(factor=1 / 1.2, hold=6), 9) == pytest.approx(expected)


def test_plateau_waits_and_then_falls_and_not_below_its_least() -> None:
    metrics = [5.0, 4.0, 4.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    expected = [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05]
    assert plateau(Plateau(factor=0.1, patience=2, min_lr=0.05), metrics) == pytest.approx(expected)


def test_to_a_plateau_any_better_value_is_an_improvement() -> None:
    """However little; and any fall of the rate is one."""
    assert plateau(Plateau(factor=0.5, patience=0), [1.0, 1.0 - 1e-9, 1.0 - 2e-9]) == [1, 1, 1]
    falling = plateau(Plateau(factor=0.1, patience=0, min_lr=0.0), [1.0] * 10)
    assert falling == pytest.approx([10.0**-number for number in range(10)])


def test_plateau_of_a_metric_that_is_to_rise() -> None:
    metrics = [1.0, 2.0, 3.0, 3.0, 2.0]
    assert plateau(Plateau(factor=0.5, patience=0), metrics, "max") == [1, 1, 1, 0.5, 0.25]
    assert plateau(Plateau(factor=0.5, patience=0), metrics, "min") == [1, 0.5, 0.25, 0.125, 0.0625]


def test_cosine_is_torchs() -> None:
    its = optimizer(0.8)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(its, T_max=20, eta_min=0.08)
    expected = []
    for _ in range(21):
        expected.append(its.param_groups[0]["lr"])
        its.step()
        theirs.step()
    assert rates(Cosine(final=0.1), 21, steps=21, lr=0.8) == pytest.approx(expected)


def test_cosine_after_a_warm_up() -> None:
    """Up to 2 in 4 steps, then 8 steps down to a quarter of it: half way it is at the mean of the two.

    The thirteenth step is the last one.
    """
    found = rates(Cosine(warmup=4, final=0.25), 15, steps=13, lr=2.0)
    assert found[:5] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])
    assert found[8] == pytest.approx(1.25)
    assert found[6] == pytest.approx(0.5 + 1.5 * (1 + 0.5**0.5) / 2)
    assert found[12:] == pytest.approx([0.5, 0.5, 0.5])
    assert all(before > after for before, after in pairwise(found[4:13]))


@pytest.mark.parametrize("steps", [0, 3])
def test_cosine_of_a_training_shorter_than_its_warm_up(steps: int) -> None:
    assert rates(Cosine(warmup=4), 4, steps=steps) == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_the_inverse_square_root_is_worked_by_hand() -> None:
    """Up to 0.6 in 4 steps; at the 9th it is two thirds of it, at the 16th half, at the 100th a fifth."""
    found = rates(InverseSqrt(warmup=4), 100, lr=0.6)
    assert found[:4] == pytest.approx([0.15, 0.3, 0.45, 0.6])
    assert [found[step - 1] for step in (9, 16, 36, 64, 100)] == pytest.approx([0.4, 0.3, 0.2, 0.15, 0.12])
    assert all(before > after for before, after in pairwise(found[3:]))


def test_it_is_the_rate_of_vaswani_et_al() -> None:
    """Equation 3: ``size ** -0.5 * min(n ** -0.5, n * warmup ** -1.5)``."""
    size, warmup = 512, 7
    paper = [size**-0.5 * min(n**-0.5, n * warmup**-1.5) for n in range(1, 40)]
    assert rates(InverseSqrt(warmup=warmup), 39, lr=(size * warmup) ** -0.5) == pytest.approx(paper)


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        (Constant(), "step"),
        (Cosine(), "step"),
        (InverseSqrt(), "step"),
        (Exponential(), "epoch"),
        (Plateau(), "validation"),
    ],
)
def test_it_says_when_it_moves(schedule: Schedule, interval: str) -> None:
    assert schedule.build(optimizer(), 10, "min").interval == interval
