from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from rnnx.core.batch import Batch
from rnnx.core.testing.tasks.splits import (
    check_batches_have_their_rows,
    check_evaluation_is_of_the_same_examples_in_the_same_order,
    check_training_is_in_a_new_order_each_epoch,
)

CHECKS = [
    check_batches_have_their_rows,
    check_evaluation_is_of_the_same_examples_in_the_same_order,
    check_training_is_in_a_new_order_each_epoch,
]


@pytest.mark.parametrize("check", CHECKS)
def test_right_data_pass(check: Any, first: Any, sequences: Any, following: Any, texts: Any) -> None:
    check(first, sequences())
    check(following, texts())


def changing(data_class: Any, change: Callable[[Batch], Batch], only: str) -> Any:
    """Data whose batches of one split are changed."""

    class Wrong(data_class):  # type: ignore[misc]
        def batch(self, split: str, *place: Any) -> Batch:
            made = data_class.batch(self, split, *place)
            return change(made) if split == only else made

    return Wrong()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": torch.arange(3)}, "index of batch 1 of valid has 3 rows, the inputs have 7"),
        ({"lengths": torch.ones(3)}, r"lengths of batch 1 of valid has the shape \(3,\), expected \(7,\)"),
        ({"lengths": torch.full((7,), 9)}, "lengths of batch 1 of valid are from 9 to 9, where there are 6"),
        (
            {"lengths": torch.full((7,), -1)},
            "lengths of batch 1 of valid are from -1 to -1, where there are 6",
        ),
        ({"targets": torch.zeros(3)}, "targets of batch 1 of valid have 3 rows, not 7"),
        ({"references": (("a",),)}, "references of batch 1 of valid have 1 rows, not 7"),
        (
            {"targets": torch.zeros(7, 2), "target_lengths": torch.full((7,), 3)},
            "target_lengths of batch 1 of valid are from 3 to 3, where there are 2 steps",
        ),
        (
            {"parents": torch.zeros(7, 5)},
            r"parents of batch 1 of valid has the shape \(7, 5\), expected \(7, 6\)",
        ),
    ],
)
def test_parts_that_do_not_fit(first: Any, sequences: Any, change: Any, message: str) -> None:
    wrong = changing(sequences, lambda batch: replace(batch, **change) if len(batch) == 7 else batch, "valid")
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_batches_have_their_rows(first, wrong)


@pytest.mark.parametrize("only", ["train", "valid", "test"])
def test_every_split_is_looked_at(first: Any, sequences: Any, only: str) -> None:
    wrong = changing(sequences, lambda batch: replace(batch, targets=batch.targets[1:]), only)
    with pytest.raises(AssertionError, match=f"^targets of batch 1 of {only} have 6 rows, not 7$"):
        check_batches_have_their_rows(first, wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda index: index.clamp(max=5),
            "example 5 of test comes 4 times, as index counts them, expected once",
        ),
        (lambda index: index + 1, "example 0 of test comes 0 times, as index counts them, expected once"),
        (lambda index: index % 7, "example 0 of test comes 2 times, as index counts them, expected once"),
    ],
)
def test_examples_that_come_again(first: Any, sequences: Any, change: Any, message: str) -> None:
    wrong = changing(sequences, lambda batch: replace(batch, index=change(batch.index)), "test")
    with pytest.raises(AssertionError, match=f"^{message}$"):
        check_evaluation_is_of_the_same_examples_in_the_same_order(first, wrong)


def test_training_examples_that_come_again(first: Any, sequences: Any) -> None:
    wrong = changing(sequences, lambda batch: replace(batch, index=batch.index % 15), "train")
    with pytest.raises(AssertionError, match=r"^example 0 of train comes 2 times, as index counts them"):
        check_training_is_in_a_new_order_each_epoch(first, wrong)


def test_an_evaluation_in_another_order(first: Any, sequences: Any) -> None:
    class Shuffled(sequences):  # type: ignore[misc]
        def order(self, split: Any) -> list[int]:
            self.epoch += 1
            return [(place + self.epoch) % 9 for place in range(9)]

    with pytest.raises(AssertionError, match=r"^valid is not the same when it is read again$"):
        check_evaluation_is_of_the_same_examples_in_the_same_order(first, Shuffled())


def test_an_evaluation_of_other_examples(first: Any, sequences: Any) -> None:
    wrong = changing(
        sequences, lambda batch: replace(batch, inputs=torch.randint(5, batch.inputs.shape)), "test"
    )
    with pytest.raises(AssertionError, match=r"^test is not the same when it is read again$"):
        check_evaluation_is_of_the_same_examples_in_the_same_order(first, wrong)


def test_a_text_that_goes_on_with_another(following: Any, texts: Any) -> None:
    wrong = changing(
        texts, lambda batch: replace(batch, index=batch.index.flip(0)) if batch.continues else batch, "test"
    )
    message = "^test has a batch that goes on with other examples: its index is another$"
    with pytest.raises(AssertionError, match=message):
        check_evaluation_is_of_the_same_examples_in_the_same_order(following, wrong)


def test_training_always_in_one_order(first: Any, sequences: Any) -> None:
    class Ordered(sequences):  # type: ignore[misc]
        def order(self, split: Any) -> list[int]:
            return list(range(16 if split == "train" else 9))

    with pytest.raises(AssertionError, match=r"^train is in the same order in two epochs$"):
        check_training_is_in_a_new_order_each_epoch(first, Ordered())


def test_one_batch_has_no_order(first: Any, sequences: Any) -> None:
    class Whole(sequences):
        batch_size = 16

        def order(self, split: Any) -> list[int]:
            return list(range(16 if split == "train" else 9))

    check_training_is_in_a_new_order_each_epoch(first, Whole())


def test_new_examples_in_one_order_are_as_good(first: Any, sequences: Any) -> None:
    class Drawn(sequences):  # type: ignore[misc]
        def order(self, split: Any) -> list[int]:
            return list(range(16 if split == "train" else 9))

        def batch(self, split: Any, positions: list[int]) -> Batch:
            made: Batch = sequences.batch(self, split, positions)
            return replace(made, inputs=torch.randint(5, made.inputs.shape))

    check_training_is_in_a_new_order_each_epoch(first, Drawn())
