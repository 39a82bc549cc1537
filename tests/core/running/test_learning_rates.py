from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from rnnx.core.errors import UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.running.learning_rates import learning_rates, steepest

WORDS = (
    "task=nmt",
    "data.train=256",
    "data.valid=8",
    "data.test=8",
    "data.batch_size=32",
    "cell.hidden_size=16",
    "task.embedding_size=16",
    "logger=none",
)

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


def experiment(*words: str) -> Experiment:
    return Experiment.from_words(*WORDS, *words)


def test_it_suggests_a_rate_that_learns_better_than_those_far_from_it(tmp_path: Path) -> None:
    found = learning_rates(experiment(), 1e-6, 1e1, 60)
    assert found.suggestion is not None
    assert 1e-4 < found.suggestion < 1e-1
    assert list(found.rates) == sorted(found.rates)
    assert found.rates[0] == pytest.approx(1e-6)
    assert len(found.losses) == len(found.rates) <= 61

    def loss(rate: float) -> float:
        words = (f"optimizer.lr={rate}", "trainer.max_epochs=4", f"out={tmp_path}", f"name={rate}")
        return experiment(*words).run().values["valid"]["loss"]

    chosen = loss(found.suggestion)
    assert chosen < loss(found.suggestion / 100) - 0.1
    assert chosen < loss(found.suggestion * 1000) - 0.1


def test_nothing_is_left_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = experiment()
    learning_rates(one, 1e-5, 1e-1, 20)
    assert list(tmp_path.iterdir()) == []
    _, task = one.prepare()
    _, other = experiment().prepare()
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in task.state_dict().items())


@pytest.mark.parametrize(("lowest", "highest"), [(0.1, 0.1), (0.2, 0.1), (0, 1), (-1, 1), (1, math.inf)])
def test_the_rates_are_above_zero_and_have_an_order(lowest: float, highest: float) -> None:
    with pytest.raises(UsageError) as refused:
        learning_rates(experiment(), lowest, highest, 20)
    assert str(refused.value) == (
        f"expected a lowest learning rate above 0 and a highest above that, got {lowest:g} and {highest:g}"
    )


def test_a_baseline_has_no_rate() -> None:
    with pytest.raises(UsageError, match="a baseline has no learning rate"):
        learning_rates(
            Experiment.from_words("task=lm", "baseline=ngram", "data.characters=2000"), 1e-5, 1, 20
        )


RATES = [10.0 ** (place / 10) for place in range(-70, 1)]  # ten a decade


def test_where_a_loss_falls_most_steeply_is_by_the_logarithm_whatever_the_noise_at_small_rates() -> None:
    """Which is steep by the rate itself: a thousandth in a ten-millionth."""
    losses = [2.0 + 0.001 * (-1) ** place for place in range(40)]  # to 0.0008
    losses += [2.0 - 0.1 * place for place in range(10)]  # from 0.001 to 0.008
    losses += [1.0 - 0.02 * place for place in range(21)]
    found = steepest(RATES, losses)
    assert found is not None
    assert 0.9e-3 < found < 9e-3


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_a_loss_that_never_falls_suggests_nothing(slope: float) -> None:
    assert steepest(RATES, [2.0 + slope * place for place in range(len(RATES))]) is None


def test_what_comes_before_ten_losses_and_the_last_count_for_nothing() -> None:
    losses = [2.0] * len(RATES)
    losses[:10] = [float(place) for place in range(100, 90, -1)]
    losses[-1] = -100.0
    losses[30:] = [loss - 0.5 for loss in losses[30:]]
    assert steepest(RATES, losses) in (RATES[29], RATES[30])


def test_of_too_few_there_is_none() -> None:
    assert steepest(RATES[:12], [float(-place) for place in range(12)]) is None


def test_a_fraction_of_the_batches_that_leaves_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^trainer\.limit_train_batches: .* at least one of 8, got 0\.01$"):
        learning_rates(experiment("trainer.limit_train_batches=0.01"), 1e-5, 1e-1, 20)
