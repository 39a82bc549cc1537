"""Checks of how a task is evaluated."""

from __future__ import annotations

import torch

from rnnx.core.batch import Batch
from rnnx.core.data import Split
from rnnx.core.testing.comparison import assert_same, require
from rnnx.core.testing.tasks.batches import parts, runs
from rnnx.core.testing.tasks.check import of_each_setting, of_the_defaults
from rnnx.core.testing.tasks.results import assert_same_loss, losses, scores, updated
from rnnx.core.testing.tasks.subject import Subject

SPLITS: tuple[Split, ...] = ("valid", "test")


@of_each_setting
@torch.no_grad()
def check_nothing_is_drawn_at_random_in_evaluation(subject: Subject) -> None:
    """Losses read twice are the same."""
    task, batches = subject.build(), subject.batches("train")
    torch.manual_seed(1)
    first = losses(task, batches)
    torch.manual_seed(2)
    fault = "changes when the same batch is read again in evaluation"
    assert_same_loss(losses(task, batches), first, fault)


@of_the_defaults
def check_observing_leaves_the_loss_alone(subject: Subject) -> None:
    """Its value and its gradient are after :meth:`observe` what they were."""
    task, (batch, *_) = subject.build(), subject.batches("valid")
    parameters = dict(task.named_parameters())
    for split in SPLITS:
        found = []
        for observed in (False, True):
            output = task(batch)
            loss = task.loss(output, batch)
            if observed:
                task.observe(task.metrics(split), batch, output, loss, split)
            gradients = torch.autograd.grad(loss.total, list(parameters.values()), materialize_grads=True)
            found.append([loss.total.detach(), loss.count, *gradients])
        names = ["the total of the loss", "the count of the loss"]
        names += [f"the gradient of parameter {name!r}" for name in parameters]
        for name, before, after in zip(names, *found, strict=True):
            assert_same(after, before, name, f"changes when the metrics of {split} observe the batch")


@of_each_setting
@torch.no_grad()
def check_every_metric_is_updated(subject: Subject) -> None:
    """One that no batch is put into computes a number all the same, which says nothing."""
    task = subject.build()
    for split in SPLITS:
        metrics = updated(task, subject.batches(split), split)
        idle = ", ".join(repr(name) for name, metric in metrics.items() if not metric.update_called)
        require(
            not idle, f"observe never updates {idle}, of the metrics of {split}; update it, or leave it out"
        )


@of_the_defaults
@torch.no_grad()
def check_metrics_do_not_depend_on_the_batch_size(subject: Subject) -> None:
    """Those of a split are the same, however its examples are put together."""
    task = subject.build()
    for split in SPLITS:
        batches = _several(subject, split)
        whole = scores(task, batches, split)
        pieces = scores(task, [part for run in runs(batches) for part in parts(run)], split)
        require(whole.keys() == pieces.keys(), f"the metrics of {split} are not always of the same names")
        for name, value in whole.items():
            assert_same(
                torch.tensor(pieces[name]),
                torch.tensor(value),
                f"{split}/{name}",
                "changes with the size of the batches",
                1e-6,
            )


def _several(subject: Subject, split: Split) -> list[Batch]:
    """Batches of several rows: of the training data, where the split is read in one piece."""
    batches = subject.batches(split)
    return batches if len(batches[0]) > 1 else subject.batches("train")
