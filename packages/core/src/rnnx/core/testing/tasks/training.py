"""Checks of how a task is trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch

from rnnx.core.batch import Batch
from rnnx.core.task import Task
from rnnx.core.testing.comparison import require
from rnnx.core.testing.tasks.batches import in_type
from rnnx.core.testing.tasks.check import numbers, of_each_setting, of_the_defaults
from rnnx.core.testing.tasks.results import assert_same_loss, losses, scores, total
from rnnx.core.testing.tasks.subject import Subject

STEPS, RATE, CLIP = 40, 0.01, 1.0  # of Adam
FALL: Final = 0.1  # of the loss, at least
HALF_CLOSE: Final = 0.1  # bfloat16, with its 8 bits, to float32


@of_each_setting
def check_every_parameter_gets_a_gradient(subject: Subject) -> None:
    """From each batch: training on several devices stops at a parameter that gets none."""
    task = subject.build().train()
    trained = {name: parameter for name, parameter in task.named_parameters() if parameter.requires_grad}
    require(bool(trained), "the task has no parameter to train")
    for loss in losses(task, subject.batches("train")):
        found = torch.autograd.grad(loss.total, list(trained.values()), allow_unused=True)
        missing = [name for name, gradient in zip(trained, found, strict=True) if gradient is None]
        require(not missing, f"no gradient reaches parameter {', '.join(missing)} from the loss")


@of_the_defaults
def check_training_lowers_the_loss(subject: Subject) -> None:
    """A few steps of Adam on a handful of examples, which any model can learn by heart."""
    task, batches = subject.build(noise=0.0), subject.batches("train")
    before = _mean(task, batches)
    optimizer = torch.optim.Adam(task.parameters(), RATE)
    for step in range(STEPS):
        torch.manual_seed(step)
        for loss in _training(task, batches):
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(task.parameters(), CLIP)
            optimizer.step()
    after = _mean(task, batches)
    require(
        before - after >= FALL * abs(before),
        f"the loss of {len(batches)} batches was {before:.4g} and is {after:.4g} after training on them "
        f"{STEPS} times, expected a fall of {FALL:.0%} at least",
    )


@of_the_defaults
def check_evaluation_leaves_training_alone(subject: Subject) -> None:
    """A validation within an epoch changes nothing of what training goes on with."""
    task, batches = subject.build(), subject.batches("train")
    with torch.no_grad():
        wanted = [losses(task, [batch])[0] for batch in _seeded(task, batches)]
        found = []
        for batch in _seeded(task, batches):
            found += losses(task, [batch])
            scores(task.eval(), subject.batches("valid"), "valid")
    fault = "changes in training when the task is evaluated after each batch"
    assert_same_loss(found, wanted, fault)


@of_each_setting
def check_bfloat16_stays_finite_and_close(subject: Subject) -> None:
    """Under autocast the loss and the gradients are finite, and the loss is near that of float32."""
    with numbers(torch.float):
        task = subject.build().float()
        batches = [in_type(batch, torch.float) for batch in subject.batches("train")]
        wanted = losses(task, batches)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = losses(task, batches)
        assert_same_loss(found, wanted, "changes under bfloat16 autocast", HALF_CLOSE)
        total(found)[0].backward()
    for name, parameter in task.named_parameters():
        finite = parameter.grad is None or bool(parameter.grad.isfinite().all())
        require(finite, f"the gradient of parameter {name!r} is not finite under bfloat16 autocast")


def _training(task: Task, batches: Iterable[Batch]) -> Iterable[torch.Tensor]:
    """What is minimised, batch by batch."""
    for batch in batches:
        (loss,) = losses(task.train(), [batch])
        yield loss.total / loss.count


def _seeded(task: Task, batches: Iterable[Batch]) -> Iterable[Batch]:
    """The batches, each for the task in training and with random numbers of its own."""
    for number, batch in enumerate(batches):
        task.train()
        torch.manual_seed(number)
        yield batch


@torch.no_grad()
def _mean(task: Task, batches: Iterable[Batch]) -> float:
    summed, counted = total(losses(task.eval(), batches))
    return float(summed / counted)
