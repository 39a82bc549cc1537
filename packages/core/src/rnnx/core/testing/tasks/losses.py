"""Checks of a task's loss: that it adds up, row by row, whatever padding there is."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core.testing.comparison import assert_same, require
from rnnx.core.testing.tasks.batches import padded, parts, rows, runs
from rnnx.core.testing.tasks.check import of_each_setting
from rnnx.core.testing.tasks.results import assert_same_loss, losses, total
from rnnx.core.testing.tasks.subject import Subject


@of_each_setting
def check_the_loss_is_a_total_and_a_count(subject: Subject) -> None:
    """Two finite scalars; the total has a graph, and the count is of one thing at least."""
    for number, loss in enumerate(losses(subject.build(), subject.batches("train")), 1):
        for name, value in (("total", loss.total), ("count", loss.count)):
            what = f"the {name} of the loss of batch {number}"
            require(isinstance(value, Tensor) and value.dim() == 0, f"{what} is no tensor without dimensions")
            require(bool(value.isfinite()), f"{what} is {value.item()}, expected a finite number")
        require(loss.total.requires_grad, f"the total of the loss of batch {number} has no graph")
        require(bool(loss.count > 0), f"the count of the loss of batch {number} is {loss.count.item()}")


@of_each_setting
@torch.no_grad()
def check_the_loss_of_a_batch_is_that_of_its_rows(subject: Subject) -> None:
    """Total and count, of each row read alone and without padding; a state that is carried goes with it."""
    task = subject.build()
    for run in runs(subject.batches("train")):
        whole = losses(task, run)
        each = [losses(task, [rows(batch, [n]) for batch in run]) for n in range(len(run[0]))]
        for number, (loss, alone) in enumerate(zip(whole, zip(*each, strict=True), strict=True), 1):
            summed, counted = total(alone)
            what = f"of the loss{f' of batch {number} in a row' if len(run) > 1 else ''}"
            fault = "is not the sum of its rows', each read alone"
            assert_same(loss.count, counted, f"the count {what}", fault, 0.0)
            assert_same(loss.total, summed, f"the total {what}", fault)


@of_each_setting
def check_the_gradient_of_a_batch_is_that_of_its_parts(subject: Subject) -> None:
    """So several processes, each with some of the rows, learn what one would."""
    task = subject.build()
    named = {name: parameter for name, parameter in task.named_parameters() if parameter.requires_grad}
    for run in runs(subject.batches("train")):
        whole, pieces = (total(losses(task, batches))[0] for batches in (run, parts(run)))
        found = torch.autograd.grad(whole, list(named.values()), materialize_grads=True)
        wanted = torch.autograd.grad(pieces, list(named.values()), materialize_grads=True)
        for name, one, other in zip(named, found, wanted, strict=True):
            fault = "over a batch is not the sum of its parts'"
            assert_same(one, other, f"the gradient of parameter {name!r}", fault)


@of_each_setting
@torch.no_grad()
def check_padding_changes_nothing(subject: Subject) -> None:
    """Neither its amount nor what stands in it."""
    task, batches = subject.build(), subject.batches("train")
    wanted = losses(task, batches)
    found = losses(task, [padded(batch) for batch in batches])
    assert_same_loss(found, wanted, "changes when padding is added and other values stand in it")
