"""What a training step costs beside the mathematics: Lightning, callbacks, loggers, and loading.

``python -m benchmarks.overhead`` trains the default translation run and, within it, a twin of its model by a
bare loop: before each of Lightning's steps the twin makes one on a batch of its own loader, and each is timed
from the end of the one before, so that noise falls on both. What Lightning takes for ten steps, one of them
logged, is compared with what the twin takes; the median of the ratios is told. Validation and checkpoints,
whose number the user chooses, are left out. ``--data FOLDER`` adds how long the loop waits for the next batch
on real data, where the folder holds ``nmt/multi30k/tok``, ``lm/ptb`` and ``sentiment/sst``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Final, final

import lightning as L
import torch
import typer
from torch import nn

from rnnx.core.batch import Batch
from rnnx.core.data import Data
from rnnx.core.experiment import Experiment
from rnnx.core.task import Task

DEFAULT: Final = ("cell=gru", "task=nmt")
WINDOW: Final = 10  # steps, of which one is logged
WAYS: Final = {  # name: the logger, and whether there is a progress bar
    "no logger": ("none", False),
    "metrics.csv": ("csv", False),
    "metrics.csv, progress bar": ("csv", True),
    "metrics.csv, W&B offline": ("wandb", False),
}


@final
class Bare:
    """A training loop without anything around it.

    Args:
        experiment: What is trained.
    """

    def __init__(self, experiment: Experiment) -> None:
        data, task = experiment.prepare()
        assert isinstance(task, Task)
        self.task, self.clip = task.train(), experiment.config.trainer["gradient_clip_val"]
        self.optimizer = task.optimizer.build(task.parameters())
        self.batches = self._batches(data)

    def load(self) -> Batch:
        """The next batch."""
        return next(self.batches)

    def learn(self, batch: Batch) -> float:
        """Makes a step, and returns the loss before it."""
        self.optimizer.zero_grad()
        loss = self.task.loss(self.task(batch), batch)
        mean = loss.total / loss.count
        mean.backward()
        if self.clip:
            nn.utils.clip_grad_norm_(self.task.parameters(), self.clip)
        self.optimizer.step()
        return mean.item()

    @staticmethod
    def _batches(data: Data) -> Iterator[Batch]:
        loader = data.loader("train")
        while True:
            yield from loader


@final
class Beside(L.Callback):
    """Times a run's steps, and lets a bare loop make one before each.

    Attributes:
        run: Seconds of each step of the run.
        bare: Those of the bare loop's.

    Args:
        twin: The bare loop.
        steps: After how many the training ends.
    """

    def __init__(self, twin: Bare, steps: int) -> None:
        self.twin, self.steps = twin, steps
        self.run: list[float] = []
        self.bare: list[float] = []
        self._since = 0.0

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Ends the time of a step, which began when the twin's ended, and makes the twin's next."""
        start = perf_counter()
        if self.bare:
            self.run.append(start - self._since)
        self.twin.learn(self.twin.load())
        self._since = perf_counter()
        self.bare.append(self._since - start)
        trainer.should_stop = len(self.bare) > self.steps

    def shares(self) -> list[float]:
        """For each ten steps the share by which the run's take longer; the first ten are left out."""
        starts = range(WINDOW, len(self.run) - WINDOW + 1, WINDOW)
        windows = [slice(start, start + WINDOW) for start in starts]
        return [sum(self.run[window]) / sum(self.bare[window]) - 1 for window in windows]


def beside(words: Sequence[str], steps: int, progress: bool) -> Beside:
    """Trains a run and its twin.

    Args:
        words: As one types after ``rnnx run``.
        steps: Of the run.
        progress: Whether a progress bar is drawn, into nowhere.
    """
    with TemporaryDirectory() as out, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        untested = ("trainer.limit_val_batches=0", "trainer.limit_test_batches=0", f"out={out}")
        experiment = Experiment.from_words(*words, *untested)
        found = Beside(Bare(experiment), steps)
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            experiment.run(progress=progress, callbacks=[found])
    return found


def waiting(words: Sequence[str], steps: int) -> tuple[float, float]:
    """Seconds a training step takes, and the share of them that its batch is waited for.

    Args:
        words: As one types after ``rnnx run``.
        steps: How many are timed.
    """
    bare = Bare(Experiment.from_words(*words))
    waited, total = [], []
    for _ in range(steps + 1):
        start = perf_counter()
        batch = bare.load()
        waited.append(perf_counter() - start)
        bare.learn(batch)
        total.append(perf_counter() - start)
    return sum(total[1:]) / steps, sum(waited[1:]) / sum(total[1:])


def runs(folder: Path | None) -> dict[str, list[str]]:
    """The runs whose loading is timed, as one types them after ``rnnx run``."""
    found = {"NMT, toy data (the default run)": list(DEFAULT)}
    if folder is None:
        return found
    experiments = Path(__file__).parent.parent / "experiments"

    def of(path: str, names: str, **places: str) -> list[str]:
        return [
            str(experiments / path),
            *(f"data.{split}={folder / names.format(name)}" for split, name in places.items()),
        ]

    return found | {
        "NMT, Multi30k, GRU": of(
            "nmt/multi30k-gru.yaml",
            "nmt/multi30k/tok/{}.lc.norm.tok",
            train="train",
            valid="val",
            test="test_2016_flickr",
        ),
        "LM, Penn Treebank, LSTM 2 x 200": of(
            "lm/ptb-zaremba-small.yaml", "lm/ptb/ptb.{}.txt", train="train", valid="valid", test="test"
        ),
        "sentiment, SST trees, Tree-LSTM": of(
            "sentiment/sst-tree-lstm.yaml", "sentiment/sst/{}.txt", train="train", valid="dev", test="test"
        ),
    }


def main(
    data: Annotated[Path | None, typer.Option(help="The folder of the data sets.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of each run.")] = 250,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 1,
) -> None:
    """Prints what a step takes beside a bare loop's, and how long batches are waited for."""
    torch.set_num_threads(threads)
    os.environ |= {"WANDB_MODE": "offline", "TTY_COMPATIBLE": "1"}  # rich draws as on a terminal
    typer.echo("| the default run | bare step, ms | beside it, % (median) | middle half |\n|---|---|---|---|")
    for name, (logger, progress) in WAYS.items():
        found = beside([*DEFAULT, f"logger={logger}"], steps, progress)
        shares = sorted(100 * share for share in found.shares())
        low, high = shares[len(shares) // 4], shares[-1 - len(shares) // 4]
        typer.echo(
            f"| {name} | {1000 * median(found.bare):.1f} | {median(shares):.1f} | {low:.1f} to {high:.1f} |"
        )
    typer.echo("\n| training | a step, ms | waiting for its batch, % |\n|---|---|---|")
    for name, words in runs(data).items():
        seconds, share = waiting(words, steps // 5)
        typer.echo(f"| {name} | {1000 * seconds:.1f} | {100 * share:.1f} |")


if __name__ == "__main__":
    typer.run(main)
