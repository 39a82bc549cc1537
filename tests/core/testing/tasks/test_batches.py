from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.testing.tasks.batches import in_type, padded, parts, rows, runs
from rnnx.core.trees import Trees

INPUTS = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0], [7, 8, 9, 0]])
PLAIN = Batch(INPUTS, torch.tensor([4, 2, 3]), torch.tensor([10, 20, 30]), torch.tensor([3, 1, 2]))
STEPWISE = replace(PLAIN, targets=torch.tensor([[1, 2, 3, 4], [5, 6, -1, -1], [7, 8, 9, -1]]))
PARENTS = torch.tensor([[1, 2, 3, -1], [-1, 0, -2, -2], [1, -1, 1, -2]])


def plain(batch: Batch) -> dict[str, Any]:
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {
        name: value.tolist() if isinstance(value, Tensor) else value
        for name, value in values.items()
        if value is not None and name != "trees"
    }


def test_rows_come_without_the_padding_they_have_no_need_of() -> None:
    assert plain(rows(PLAIN, [2, 1])) == {
        "inputs": [[7, 8, 9], [5, 6, 0]],
        "lengths": [3, 2],
        "targets": [30, 20],
        "index": [2, 1],
        "continues": False,
    }
    assert plain(rows(PLAIN, [0, 1, 2])) == plain(PLAIN)


def test_targets_along_the_steps_are_cut_with_them() -> None:
    assert rows(STEPWISE, [1]).targets.tolist() == [[5, 6]]
    other = replace(STEPWISE, targets=torch.zeros(3, 3))
    assert rows(other, [1]).targets.shape == (1, 3)


def test_targets_have_their_own_lengths_where_they_are_said() -> None:
    batch = replace(STEPWISE, target_lengths=torch.tensor([1, 3, 4]))
    cut = rows(batch, [0, 1])
    assert cut.targets.tolist() == [[1, 2, 3], [5, 6, -1]]
    assert cut.target_lengths is not None
    assert cut.target_lengths.tolist() == [1, 3]


def test_features_trees_references_and_what_goes_on_are_kept() -> None:
    features = INPUTS.double().unsqueeze(-1)
    texts = (("a",), ("b", "B"), ("c",))
    whole = replace(
        PLAIN, inputs=features, parents=PARENTS, trees=Trees.of(PARENTS), references=texts, continues=True
    )
    cut = rows(whole, [1, 2])
    assert cut.inputs.shape == (2, 3, 1)
    assert cut.parents is not None
    assert cut.parents.tolist() == [[-1, 0, -2], [1, -1, 1]]
    assert cut.trees is not None
    assert cut.trees.shape == (2, 3)
    assert (cut.references, cut.continues) == (texts[1:], True)
    assert rows(replace(whole, trees=None), [0]).trees is None


def test_a_row_without_steps_keeps_one() -> None:
    empty = replace(STEPWISE, lengths=torch.tensor([4, 0, 3]))
    assert rows(empty, [1]).inputs.tolist() == [[5]]


def test_padding_is_added_and_holds_the_first_step() -> None:
    assert plain(padded(PLAIN)) == plain(PLAIN) | {
        "inputs": [[1, 2, 3, 4, 1, 1], [5, 6, 5, 5, 5, 5], [7, 8, 9, 7, 7, 7]]
    }
    features = padded(replace(PLAIN, inputs=torch.stack((INPUTS, -INPUTS), -1))).inputs
    assert features[1].tolist() == [[5, -5], [6, -6], *[[5, -5]] * 4]


def test_targets_are_padded_where_their_lengths_are_said() -> None:
    batch = replace(
        PLAIN, targets=torch.tensor([[1, 2], [3, 0], [4, 5]]), target_lengths=torch.tensor([2, 1, 2])
    )
    assert padded(batch).targets.tolist() == [[1, 2, 1, 1], [3, 3, 3, 3], [4, 5, 4, 4]]


def test_along_the_steps_no_padding_is_added_as_nobody_knows_what_a_target_holds_there() -> None:
    found = padded(STEPWISE)
    assert found.inputs.tolist() == [[1, 2, 3, 4], [5, 6, 5, 5], [7, 8, 9, 7]]
    assert torch.equal(found.targets, STEPWISE.targets)


def test_trees_are_padded_with_nodes_that_are_absent() -> None:
    found = padded(replace(PLAIN, parents=PARENTS, trees=Trees.of(PARENTS)))
    assert found.parents is not None
    assert found.parents.tolist() == [[*row, -2, -2] for row in PARENTS.tolist()]
    assert found.trees is not None
    assert found.trees.shape == (3, 6)


def test_only_numbers_change_their_type() -> None:
    batch = in_type(replace(PLAIN, targets=torch.ones(3)), torch.double)
    assert batch.targets.dtype == torch.double
    assert {batch.inputs.dtype, batch.lengths.dtype, batch.index.dtype} == {torch.long}


def test_a_run_ends_where_a_batch_begins_anew() -> None:
    first, more = PLAIN, replace(PLAIN, continues=True)
    assert [len(run) for run in runs([first, more, more, first, first, more])] == [3, 1, 2]
    assert runs([]) == []
    assert [len(run) for run in runs([more, more])] == [2]


def test_parts_are_of_one_row_and_of_the_others_each_read_to_the_end() -> None:
    later = replace(PLAIN, continues=True)
    found = [(part.index.tolist(), part.continues) for part in parts([PLAIN, later])]
    assert found == [([3], False), ([3], True), ([1, 2], False), ([1, 2], True)]
    assert [part.index.tolist() for part in parts([rows(PLAIN, [1])])] == [[1]]
