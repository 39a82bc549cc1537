from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.testing.tasks.checkpoints import (
    check_a_checkpoint_is_all_it_takes_to_predict,
    check_saving_and_loading_change_nothing,
)

CHECKS = [check_a_checkpoint_is_all_it_takes_to_predict, check_saving_and_loading_change_nothing]


@pytest.mark.parametrize("check", CHECKS)
def test_right_tasks_pass(check: Any, first: Any, sequences: Any, following: Any, texts: Any) -> None:
    check(first, sequences())
    check(following, texts())


def builds(base: Any, change: Any) -> Any:
    """A constructor that does something more."""

    def construct(self: Any, net: Any, meta: Any) -> None:
        base.__init__(self, net, meta)
        change(self)

    return construct


def test_weights_that_stay_behind(first: Any, sequences: Any, but: Any) -> None:
    def forward(self: Any, batch: Batch) -> Tensor:
        return first.forward(self, batch) * self.weight

    keep = builds(first, lambda self: setattr(self, "weight", torch.rand(5)))
    message = r"^the total of the loss of batch 1 changes when the task is saved and loaded: \S+ became \S+$"
    with pytest.raises(AssertionError, match=message):
        check_saving_and_loading_change_nothing(but(first, __init__=keep, forward=forward), sequences())


def test_weights_under_a_name_that_changes(first: Any, sequences: Any, but: Any) -> None:
    made: list[Any] = []

    def construct(self: Any) -> None:
        made.append(self)
        self.register_buffer(f"buffer{len(made)}", torch.zeros(1))

    with pytest.raises(AssertionError, match=r"^RuntimeError.*Missing key\(s\) in state_dict: \"buffer\d"):
        check_saving_and_loading_change_nothing(but(first, __init__=builds(first, construct)), sequences())


def test_a_checkpoint_that_is_more_than_plain_data(first: Any, sequences: Any, but: Any) -> None:
    kept = builds(
        first, lambda self: self.hparams.update(net={**self.hparams["net"], "kept": Exception("x")})
    )
    with pytest.raises(AssertionError, match=r"^UnpicklingError: .*[Ww]eights.only"):
        check_saving_and_loading_change_nothing(but(first, __init__=kept), sequences())


def test_a_checkpoint_without_the_meta(first: Any, sequences: Any, but: Any) -> None:
    forgets = builds(first, lambda self: self.hparams.pop("meta"))
    with pytest.raises(AssertionError, match=r"^KeyError.*: 'meta'$"):
        check_saving_and_loading_change_nothing(but(first, __init__=forgets), sequences())


def test_a_meta_that_is_used_up(first: Any, sequences: Any, but: Any) -> None:
    """What was trained had more than what is loaded gets."""

    def construct(self: Any, net: Any, meta: Any) -> None:
        first.__init__(self, net, meta)
        self.symbols = list(meta.pop("symbols"))

    with pytest.raises(AssertionError, match=r"^KeyError.*: 'symbols'$"):
        check_saving_and_loading_change_nothing(but(first, __init__=construct), sequences())


def test_an_answer_that_needs_what_was_read_in_training(first: Any, sequences: Any, but: Any) -> None:
    def samples(self: Any, batch: Batch) -> Any:
        self.seen = batch
        return first.samples(self, batch)

    def predict(self: Any, lines: Any) -> Any:
        return [f"{len(self.seen)}" for _ in lines]

    with pytest.raises(AssertionError, match=r"^AttributeError.*has no attribute 'seen'$"):
        check_a_checkpoint_is_all_it_takes_to_predict(
            but(first, samples=samples, predict=predict), sequences()
        )


def test_an_answer_that_is_another_after_loading(first: Any, sequences: Any, but: Any) -> None:
    keep = builds(first, lambda self: setattr(self, "weight", torch.rand(1).item()))
    wrong = but(first, __init__=keep, predict=lambda self, lines: [f"{self.weight}" for _ in lines])
    message = r"^the answer to '\d.*' changes when the task is saved and loaded: \['0\..* became \['0\."
    with pytest.raises(AssertionError, match=message):
        check_a_checkpoint_is_all_it_takes_to_predict(wrong, sequences())


def test_answers_that_are_drawn_may_be_drawn(first: Any, sequences: Any, but: Any) -> None:
    drawn = but(first, predict=lambda self, lines: [f"{torch.rand(1).item()}" for _ in lines])
    check_a_checkpoint_is_all_it_takes_to_predict(drawn, sequences())
