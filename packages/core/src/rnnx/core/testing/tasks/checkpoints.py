"""Checks of what a checkpoint keeps of a task."""

from __future__ import annotations

from io import BytesIO

import torch

from rnnx.core.task import Task
from rnnx.core.testing.comparison import require
from rnnx.core.testing.tasks.check import of_each_setting, of_the_defaults
from rnnx.core.testing.tasks.prediction import questions
from rnnx.core.testing.tasks.results import assert_same_loss, losses
from rnnx.core.testing.tasks.subject import Subject, through_json


@of_each_setting
@torch.no_grad()
def check_saving_and_loading_change_nothing(subject: Subject) -> None:
    """Net, meta and weights, read with ``weights_only=True``, make another task of the class the same."""
    task, batches = subject.build(), subject.batches("train")
    found, wanted = (losses(one, batches) for one in (_loaded(subject, task), task))
    assert_same_loss(found, wanted, "changes when the task is saved and loaded")


@of_the_defaults
def check_a_checkpoint_is_all_it_takes_to_predict(subject: Subject) -> None:
    """A task made of it, without the data, gives the answers of the one that was trained."""
    task = subject.build()
    for line in questions(subject, task):
        one, other = (_answers(either, line) for either in (task, _loaded(subject, task)))
        require(
            one == other,
            f"the answer to {line!r} changes when the task is saved and loaded: {one!r} became {other!r}",
        )


def _loaded(subject: Subject, task: Task) -> Task:
    """Another task, made of the file that the first was written to and of nothing else."""
    file = BytesIO()
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, file)
    file.seek(0)
    checkpoint = torch.load(file, weights_only=True)
    net, meta = (through_json(checkpoint["hyper_parameters"][name]) for name in ("net", "meta"))
    torch.manual_seed(1)
    other = subject.task_class(net, meta, **subject.options).double()
    other.load_state_dict(checkpoint["state_dict"])
    return other.eval()


def _answers(task: Task, line: str) -> list[str]:
    """What is drawn at random is always the same."""
    torch.manual_seed(2)
    return list(task.predict([line]))
