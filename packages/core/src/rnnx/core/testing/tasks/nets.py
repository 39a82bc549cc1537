"""Checks that a task works with any net, or refuses it by name."""

from __future__ import annotations

from typing import Any, Final

from rnnx.core.errors import UsageError
from rnnx.core.testing.check import one_sentence
from rnnx.core.testing.comparison import require
from rnnx.core.testing.tasks.check import of_the_defaults
from rnnx.core.testing.tasks.prediction import questions
from rnnx.core.testing.tasks.results import losses, total
from rnnx.core.testing.tasks.subject import Subject

NETS: Final[dict[str, Any]] = {  # an option of the net, and a value that is not its default
    "layers": 2,
    "bidirectional": True,
    "transitions": 2,
    "skip": "dense",
    "variational_input": 0.2,
    "variational_state": 0.2,
    "variational_output": 0.2,
    "weight_drop": 0.2,
    "zoneout": 0.2,
    "recurrent_dropout": 0.2,
}


@of_the_defaults
def check_any_net_is_trained_or_refused_by_name(subject: Subject) -> None:
    """Deep, in both directions, regularised: the loss is finite and has a gradient, and lines are answered.

    A net that does not suit the task is refused with a ``UsageError`` that names the option, ``net.NAME``.
    """
    lines = questions(subject, subject.build())
    for option, value in NETS.items():
        with one_sentence(subject.task_class, f"net.{option}={value}".replace("True", "true")):
            try:
                task = subject.build(**{option: value})
            except UsageError as error:
                require(f"net.{option}" in str(error), f"refused without naming net.{option}: {error}")
                continue
            summed, _ = total(losses(task.train(), subject.batches("train")))
            require(bool(summed.isfinite()), f"the loss is {summed.item()}")
            summed.backward()
            answer = next(iter(task.eval().predict(lines)), None)
            require(answer is not None, f"predict gives nothing for the line {lines[0]!r}")
