"""Confusion against scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from rnnx.tasks.parts.scores.confusion import (
    ClassScores,
    ConfusionMatrix,
    confusion_figure,
    confusion_figures,
)

TWO = """
import os, sys, torch
from rnnx.tasks.parts.scores.confusion import ClassScores
rank = 1 if os.fork() == 0 else 0
torch.distributed.init_process_group("gloo", init_method=f"file://{sys.argv[1]}", rank=rank, world_size=2)
metric = ClassScores(2)
metric.update(*[(torch.tensor([0, 1]), torch.tensor([0, 0])), (torch.tensor([1]), torch.tensor([1]))][rank])
accuracy = metric.compute()["accuracy"].item()
if rank == 0:
    os.wait()
    sys.stdout.write(f"{metric.whole.tolist()} {accuracy:.2f}")
"""


@pytest.mark.parametrize("present", [range(5), (1, 3), (2,)], ids=["all", "two", "one"])
def test_it_agrees_with_scikit_learn(present: range | tuple[int, ...]) -> None:
    """Also where classes are missing in truth, among the answers, or in both."""
    torch.manual_seed(0)
    truth = torch.tensor(present)[torch.randint(len(present), (200,))]
    answers = torch.where(torch.rand(200) < 0.5, truth, torch.randint(1, 4, (200,)))
    metric = ClassScores(5)
    for part in range(0, 200, 30):
        metric.update(truth[part : part + 30], answers[part : part + 30])
    assert metric.counts.tolist() == confusion_matrix(truth, answers, labels=range(5)).tolist()
    values = {name: float(value) for name, value in metric.compute().items()}
    assert metric.whole.tolist() == metric.counts.tolist()
    assert values == {
        "accuracy": pytest.approx(100 * accuracy_score(truth, answers)),
        "f1": pytest.approx(100 * f1_score(truth, answers, average="macro")),
    }


def test_it_is_that_of_all_processes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWO, str(tmp_path / "meeting")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[[1, 0], [1, 1]] 66.67", 0), done.stderr


def test_there_is_a_picture_when_the_metric_was_computed() -> None:
    """And it is of the last time that it was."""
    metric = ConfusionMatrix(2)
    metric.update(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    assert confusion_figures(None, ["bad", "good"]) == confusion_figures(metric, ["bad", "good"]) == {}
    assert metric.compute() == {}
    metric.reset()
    (axes, _) = confusion_figures(metric, ["bad", "good"])["confusion"].axes
    assert [text.get_text() for text in axes.texts] == ["1", "0", "1", "1"]


def test_the_picture_has_a_row_for_each_true_class() -> None:
    counts = torch.tensor([[8, 2, 0], [1, 3, 0], [0, 0, 0]])
    axes = confusion_figure(counts, ["bad", "so $ so", "good"]).axes[0]
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert cells == {(row, column): str(int(counts[row, column])) for row in range(3) for column in range(3)}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bad", "so $ so", "good"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["bad", "so $ so", "good"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "truth")
    (image,) = axes.get_images()
    assert image.get_array().tolist() == [
        pytest.approx([0.8, 0.2, 0]),
        pytest.approx([0.25, 0.75, 0]),
        [0, 0, 0],
    ]
