from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.tasks.data.memory.copying import Copying

BLANK, DELIMITER = 8, 9  # as a_8 and a_9 of Arjovsky, Shah & Bengio 2016, section 4.1


@pytest.mark.parametrize(("length", "lag"), [(10, 100), (3, 2), (1, 1), (2, 1)])
def test_a_sequence_is_symbols_blanks_a_delimiter_and_blanks(length: int, lag: int) -> None:
    (batch,) = Copying(length=length, lag=lag, test=6).loader("test")
    assert batch.inputs.shape == (6, lag + 2 * length)  # T + 20 in the paper, T being the lag
    assert batch.lengths.tolist() == [lag + 2 * length] * 6
    for tokens, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        assert tokens == [*targets, *[BLANK] * (lag - 1), DELIMITER, *[BLANK] * length]
        assert len(targets) == length
        assert set(targets) <= set(range(8))


def test_a_symbol_is_to_be_said_length_and_lag_steps_after_it_was_read() -> None:
    """The answers are read off the last steps: symbol 0 at the first of them."""
    (batch,) = Copying(length=10, lag=100, test=1).loader("test")
    first_answer = batch.inputs.shape[1] - batch.targets.shape[1]
    assert first_answer - 0 == 110
    assert batch.inputs[0, first_answer - 1] == DELIMITER


def test_no_symbol_is_likelier_than_another_at_any_place() -> None:
    """So chance is 1/8 and ln 8."""
    symbols = Copying(length=3, lag=1, test=1).draw(40_000, torch.Generator().manual_seed(0)).targets.numpy()
    for place in symbols.T:
        shares = np.bincount(place, minlength=8) / len(place)
        assert shares == pytest.approx([1 / 8] * 8, abs=0.007)
        assert -(shares * np.log(shares)).sum() == pytest.approx(math.log(8), abs=1e-3)
    assert round(math.log(8), 3) == 2.079
    pairs = np.bincount(8 * symbols[:, 0] + symbols[:, 1], minlength=64) / len(symbols)
    assert pairs == pytest.approx([1 / 64] * 64, abs=0.004)  # nor after another


def test_meta_is_plain_and_enough_to_make_a_sequence_of() -> None:
    data = Copying(length=2, lag=3, test=4)
    assert json.loads(json.dumps(data.meta)) == data.meta
    assert data.meta == {
        "kind": "symbols",
        "symbols": ["1", "2", "3", "4", "5", "6", "7", "8"],
        "tokens": 10,
        "answers": 2,
        "after": [8, 8, 9, 8, 8],
    }


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(["task=memory", "data=copying", "data.length=0", "data.lag=0"])
    assert caught.value.problems == (
        "data.length: expected an integer of at least 1, got 0",
        "data.lag: expected an integer of at least 1, got 0",
    )
