from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch

from rnnx.core.running import randomness


def drawn() -> tuple[list[float], ...]:
    """Of every generator, an odd number of normal numbers too: they are drawn two by two."""
    return (
        torch.rand(5).tolist(),
        torch.randn(1).tolist(),
        [random.random(), random.gauss(0, 1)],
        [np.random.rand(), *np.random.randn(1)],
    )


def test_what_is_restored_draws_the_same_again() -> None:
    drawn()
    before = randomness.capture()
    first = drawn()
    assert drawn() != first
    randomness.restore(before)
    assert drawn() == first


def test_capturing_draws_nothing() -> None:
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    first = drawn()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    randomness.capture()
    assert drawn() == first


def test_it_can_be_kept_in_a_checkpoint_that_executes_nothing(tmp_path: Path) -> None:
    torch.save(randomness.capture(), tmp_path / "states")
    first = drawn()
    randomness.restore(torch.load(tmp_path / "states", weights_only=True))
    assert drawn() == first
