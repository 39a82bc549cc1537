"""Every installed cell with every installed task, on the task's toy data: trained, saved, loaded, asked."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import mean

import pytest

from rnnx.core.experiment import Experiment
from rnnx.core.registry import plugins
from rnnx.core.resolution import resolve
from rnnx.core.running.result import Result

GENERATED = ("data.train=64", "data.valid=8", "data.test=8", "data.batch_size=8")
FOUND = ("data.characters=20_000", "data.bptt=20", "data.batch_size=8")
SMALL = (
    "optimizer.lr=1e-2",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=8",
    "trainer.log_every_n_steps=1",
    "logger=csv",
)
TASKS = [plugin.name for plugin in plugins("task")]
CELLS = [plugin.name for plugin in plugins("cell")]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*LeafSpec.*:FutureWarning"
)


def train_losses(result: Result) -> list[float]:
    with (result.folder / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        return [float(row["train/loss"]) for row in csv.DictReader(lines) if row["train/loss"]]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_every_cell_learns_every_task(task: str, cell: str, tmp_path: Path) -> None:
    data = FOUND if task == "lm" else GENERATED
    words = [f"task={task}", f"cell={cell}", "cell.hidden_size=16", f"out={tmp_path}", *data, *SMALL]
    result = Experiment(resolve(words)).run()
    losses = train_losses(result)
    assert len(losses) == 16
    assert mean(losses[-4:]) < mean(losses[:4])

    run = Experiment.load(result.folder)
    assert run.test() == pytest.approx(result.values["test"], rel=1e-4)
    questions = [next(iter(sample.values())).strip().splitlines()[0] for sample in result.texts]
    assert questions
    assert sum(1 for _ in run.predict(questions)) >= len(questions)


@pytest.fixture(scope="module", params=TASKS)
def usual(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], Result]:
    """A task's words, and what came of them in single precision."""
    data = FOUND if request.param == "lm" else GENERATED
    out = tmp_path_factory.mktemp(request.param)
    words = [f"task={request.param}", "cell=gru", "cell.hidden_size=16", f"out={out}", *data, *SMALL]
    return words, Experiment(resolve([*words, "name=usual"])).run()


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_every_task_trains_in_every_precision(precision: str, usual: tuple[list[str], Result]) -> None:
    words, single = usual
    other = Experiment(resolve([*words, f"name={precision}", f"trainer.precision={precision}"])).run()
    assert train_losses(other) != train_losses(single)
    near = 0.01 if precision == "64-true" else 0.1  # dropout draws other numbers
    assert train_losses(other)[0] == pytest.approx(train_losses(single)[0], rel=near)
    assert mean(train_losses(other)[-4:]) < mean(train_losses(other)[:4])
