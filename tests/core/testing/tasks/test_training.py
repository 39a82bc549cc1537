from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.batch import Batch
from rnnx.core.state import detach
from rnnx.core.task import Loss
from rnnx.core.testing.tasks.training import (
    check_bfloat16_stays_finite_and_close,
    check_evaluation_leaves_training_alone,
    check_every_parameter_gets_a_gradient,
    check_training_lowers_the_loss,
)

CHECKS = [
    check_bfloat16_stays_finite_and_close,
    check_evaluation_leaves_training_alone,
    check_every_parameter_gets_a_gradient,
    check_training_lowers_the_loss,
]


@pytest.mark.parametrize("check", CHECKS)
def test_right_tasks_pass(check: Any, first: Any, sequences: Any, following: Any, texts: Any) -> None:
    check(first, sequences())
    check(following, texts())


def more(base: Any, **tensors: Any) -> Any:
    """A constructor that adds parameters."""

    def construct(self: Any, net: Any, meta: Any) -> None:
        base.__init__(self, net, meta)
        for name, tensor in tensors.items():
            setattr(self, name, nn.Parameter(tensor))

    return construct


def test_parameters_without_a_gradient(first: Any, sequences: Any, but: Any) -> None:
    idle = but(first, __init__=more(first, idle=torch.ones(2), lazy=torch.ones(1)))
    with pytest.raises(AssertionError, match=r"^no gradient reaches parameter idle, lazy from the loss$"):
        check_every_parameter_gets_a_gradient(idle, sequences())


def test_a_parameter_that_only_some_batches_use(first: Any, sequences: Any, but: Any) -> None:
    def loss(self: Any, output: Tensor, batch: Batch) -> Loss:
        right = first.loss(self, output, batch)
        self.calls = getattr(self, "calls", 0) + 1
        return Loss(right.total + (self.idle.sum() if self.calls % 2 else 0), right.count)

    wrong = but(first, __init__=more(first, idle=torch.ones(2)), loss=loss)
    with pytest.raises(AssertionError, match=r"^no gradient reaches parameter idle from the loss$"):
        check_every_parameter_gets_a_gradient(wrong, sequences())


def test_nothing_to_train(first: Any, sequences: Any, but: Any) -> None:
    def construct(self: Any, net: Any, meta: Any) -> None:
        first.__init__(self, net, meta)
        self.requires_grad_(False)

    with pytest.raises(AssertionError, match=r"^the task has no parameter to train$"):
        check_every_parameter_gets_a_gradient(but(first, __init__=construct), sequences())


@pytest.mark.parametrize("wrong", [lambda y: y.detach() + 0 * y, lambda y: 2 * y.detach() - y])
def test_training_that_does_not_help(first: Any, sequences: Any, but: Any, wrong: Any) -> None:
    """The gradient is none, or that of going uphill."""
    forward = {"forward": lambda self, batch: wrong(first.forward(self, batch))}
    message = (
        r"^the loss of 2 batches was \S+ and is \S+ after training on them 40 times, "
        "expected a fall of 10% at least$"
    )
    with pytest.raises(AssertionError, match=message):
        check_training_lowers_the_loss(but(first, **forward), sequences())


def test_one_state_for_training_and_evaluation(following: Any, texts: Any, but: Any) -> None:
    def forward(self: Any, batch: Batch) -> Tensor:
        self.carried = dict.fromkeys((True, False), self.carried.get(self.training))
        output: Tensor = following.forward(self, batch)
        self.carried = dict.fromkeys((True, False), self.carried[self.training])
        return output

    message = (
        "^the total of the loss of batch 2 changes in training when the task is evaluated after each batch"
    )
    with pytest.raises(AssertionError, match=message):
        check_evaluation_leaves_training_alone(but(following, forward=forward), texts())


def test_statistics_that_evaluation_moves(first: Any, sequences: Any, but: Any) -> None:
    def construct(self: Any, net: Any, meta: Any) -> None:
        first.__init__(self, net, meta)
        self.register_buffer("mean", torch.zeros(5))

    def forward(self: Any, batch: Batch) -> Tensor:
        output: Tensor = first.forward(self, batch)
        if not self.training:
            self.mean = self.mean + detach((output,))[0].mean(0)
        return output - self.mean

    message = (
        "^the total of the loss of batch 2 changes in training when the task is evaluated after each batch"
    )
    with pytest.raises(AssertionError, match=message):
        check_evaluation_leaves_training_alone(but(first, __init__=construct, forward=forward), sequences())


def rounded(y: Tensor) -> Tensor:
    """8 bits keep 30000 and 30208 apart, little between; it should be ``y``."""
    return (y + 30000) - 30000


def test_numbers_that_8_bits_cannot_hold(first: Any, sequences: Any, but: Any) -> None:
    def forward(self: Any, batch: Batch) -> Tensor:
        return 10 * rounded(first.forward(self, batch))

    message = r"^the total of the loss of batch 1 changes under bfloat16 autocast: \S+ became \S+$"
    with pytest.raises(AssertionError, match=message):
        check_bfloat16_stays_finite_and_close(but(first, forward=forward), sequences())


def test_a_gradient_that_is_not_finite_in_8_bits(first: Any, sequences: Any, but: Any) -> None:
    def forward(self: Any, batch: Batch) -> Tensor:
        output: Tensor = first.forward(self, batch)
        return output + 0.01 * torch.sqrt(rounded(output.square()))  # whose slope at 0 is infinite

    message = r"^the gradient of parameter '\S+' is not finite under bfloat16 autocast$"
    with pytest.raises(AssertionError, match=message):
        check_bfloat16_stays_finite_and_close(but(first, forward=forward), sequences())
