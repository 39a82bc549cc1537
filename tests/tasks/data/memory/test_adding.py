from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.tasks.data.memory.adding import Adding, sums


@pytest.mark.parametrize("length", [2, 3, 7, 20])
def test_the_answer_is_the_sum_of_a_number_in_each_half(length: int) -> None:
    batch = sums(length, 400, torch.Generator().manual_seed(1))
    assert batch.inputs.shape == (400, length, 2)
    assert batch.targets.shape == (400, 1)
    assert batch.lengths.tolist() == [length] * 400
    firsts, seconds = set(), set()
    for steps, (target,) in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        first, second = (t for t, (_, mark) in enumerate(steps) if mark == 1.0)
        assert all(mark == 0.0 for t, (_, mark) in enumerate(steps) if t not in (first, second))
        assert target == pytest.approx(steps[first][0] + steps[second][0], abs=1e-6)
        firsts.add(first)
        seconds.add(second)
    assert firsts == set(range(length // 2))
    assert seconds == set(range(length // 2, length))


def test_the_marks_are_half_the_sequence_apart_on_average() -> None:
    """Places are uniform in their halves: the mean distance is T / 2, its variance 2 (T/2)² / 12."""
    marks = sums(200, 20_000, torch.Generator().manual_seed(2)).inputs[..., 1]
    places = marks.nonzero()[:, 1].reshape(-1, 2).double()
    distance = places[:, 1] - places[:, 0]
    assert distance.mean().item() == pytest.approx(100, abs=4 * np.sqrt(2 * 100**2 / 12 / 20_000))
    assert distance.var().item() == pytest.approx(2 * (100**2 - 1) / 12, rel=0.05)


def test_who_always_answers_the_mean_is_wrong_by_a_sixth() -> None:
    """The variance of the sum of two uniform numbers, ∫∫ (a + b - 1)² da db = 1/6."""
    grid = (np.arange(2000) + 0.5) / 2000
    integral = ((grid[:, None] + grid - 1) ** 2).mean()
    assert integral == pytest.approx(1 / 6, abs=1e-6)
    targets = sums(10, 100_000, torch.Generator().manual_seed(3)).targets.numpy()
    assert ((targets - 1) ** 2).mean() == pytest.approx(integral, abs=0.003)
    assert targets.mean() == pytest.approx(1.0, abs=0.005)


def test_the_numbers_are_uniform_wherever_they_stand() -> None:
    values = sums(4, 50_000, torch.Generator().manual_seed(4)).inputs[..., 0].numpy()
    for t in range(4):
        shares, _ = np.histogram(values[:, t], bins=10, range=(0, 1))
        assert shares / 50_000 == pytest.approx([0.1] * 10, abs=0.006)


def test_the_data_is_that_of_its_options() -> None:
    data = Adding(length=30, train=7, valid=5, test=4)
    assert json.loads(json.dumps(data.meta)) == data.meta == {"kind": "numbers", "features": 2, "answers": 1}
    for split, count in (("train", 7), ("valid", 5), ("test", 4)):
        (batch,) = data.loader(split)
        assert batch.inputs.shape == (count, 30, 2)
        assert torch.allclose(batch.targets[:, 0], batch.inputs.prod(-1).sum(1))
    assert Adding().length == 200


def test_one_step_has_no_halves() -> None:
    with pytest.raises(UsageError, match=r"data\.length: expected an integer of at least 2, got 1"):
        resolve(["task=memory", "data=adding", "data.length=1"])
