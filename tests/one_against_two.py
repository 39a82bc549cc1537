"""Trains every task in one process, and again in two with half the batch each; prints how far they are apart.

python tests/one_against_two.py
python tests/one_against_two.py nmt lm
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

BATCH = 8
UNEVEN = ("data.train=46", "data.valid=9", "data.test=11")  # the last batch has 6, the last of the test 3
TEXT = ("task=lm", "data.characters=20_000", "data.bptt=20")
RUNS = {
    "captioning": ("task=captioning", *UNEVEN, "task.dropout=0"),
    "lm": (*TEXT, "task.dropout=0"),
    "lm, evaluated in 3 streams": (*TEXT, "task.dropout=0", "data.eval_batch_size=3"),
    "memory": ("task=memory", *UNEVEN),
    "memory, digits": ("task=memory", "data=digits", "trainer.limit_train_batches=12"),
    "ner": ("task=ner", *UNEVEN, "task.dropout=0", "task.singleton_dropout=0"),
    "nmt": ("task=nmt", *UNEVEN, "task.dropout=0"),
    "nmt, two batches a step": ("task=nmt", *UNEVEN, "task.dropout=0", "trainer.accumulate_grad_batches=2"),
    "sentiment, trees": ("task=sentiment", "cell=tree-lstm", *UNEVEN, "task.dropout=0"),
    "sentiment, texts": ("task=sentiment", "data.trees=false", *UNEVEN, "task.dropout=0"),
    "video": ("task=video", *UNEVEN, "task.dropout=0"),
}
ALL = (
    "cell=gru",
    "cell.hidden_size=16",
    "logger=csv",
    "seed=3",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=1",
)


def train(name: str, folder: str, processes: int) -> None:
    """A run that is named after the number of its processes."""
    from rnnx.core.experiment import Experiment

    shared = (f"data.batch_size={BATCH // processes}", f"trainer.devices={processes}")
    words = (*ALL, *RUNS[name], *shared, f"out={folder}/{name}", f"name={processes}")
    Experiment.from_words(*words).run()


def history(run: Path) -> tuple[list[float], dict[str, float]]:
    """The loss of each step, and the metrics of both splits."""
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        losses = [float(row["train/loss"]) for row in csv.DictReader(lines) if row["train/loss"]]
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    metrics = [(split, name) for split in ("valid", "test") for name in result[split]]
    return losses, {f"{split} {name}": result[split][name] for split, name in metrics}


def row(name: str, folder: str) -> str:
    """A line of the table: the losses' differences are absolute, the metrics' relative to themselves or 1."""
    (one, metrics), (two, others) = (history(Path(folder, name, processes)) for processes in "12")
    assert len(one) == len(two)
    assert metrics.keys() == others.keys()
    step = max(abs(loss - other) for loss, other in zip(one, two, strict=True))
    apart = {key: abs(value - others[key]) / max(abs(value), 1) for key, value in metrics.items()}
    furthest = max(apart, key=lambda metric: apart[metric])
    return f"| {name} | {len(one)} | {step:.1e} | {len(metrics)} | {apart[furthest]:.1e} | {furthest} |"


def main() -> None:
    """Trains or compares."""
    if sys.argv[1:2] == ["--train"]:
        folder, processes, *names = sys.argv[2:]
        for name in names:
            train(name, folder, int(processes))
        return
    names = sys.argv[1:] or list(RUNS)
    with TemporaryDirectory() as folder:
        for processes in "12":
            subprocess.run([sys.executable, __file__, "--train", folder, processes, *names], check=True)
        head = ("task", "steps", "largest difference of a step's loss", "metrics", "largest difference", "of")
        rows = [row(name, folder) for name in names]
    sys.stdout.write("\n".join((f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows, "")))


if __name__ == "__main__":
    main()
