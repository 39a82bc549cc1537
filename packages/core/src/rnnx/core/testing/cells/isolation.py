"""Checks that a row of a batch is read by itself: padding, neighbours and places change nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.testing.cells.check import of_each_setting
from rnnx.core.testing.cells.gradients import gradients
from rnnx.core.testing.cells.results import Result, assert_same_result, assert_same_state
from rnnx.core.testing.cells.subject import Subject
from rnnx.core.testing.cells.ways import BACK, FORTH, ROWS, STEPS, UP, Way
from rnnx.core.testing.comparison import assert_same, require

ADDED = 2  # steps of padding
JUNK = 1e4  # what stands in it


@of_each_setting
def check_padding_changes_nothing(subject: Subject) -> None:
    """Neither its amount nor what stands in it, forth, back and in trees; and no gradient comes from it."""
    cell, state = subject.cell, subject.state
    for way in (FORTH, BACK, UP):
        wanted, last = way.read(cell, subject.x, way.structure, state)
        structure, padding = way.padded(ADDED)
        x = torch.cat((subject.x, subject.x[:, :ADDED]), 1)
        x = x.masked_fill(padding.unsqueeze(-1), JUNK).requires_grad_()
        y, after = result = way.read(cell, x, structure, state)
        fault = f"{way.how} changes when padding is added".lstrip()
        assert_same_result((y[:, :STEPS], after), (wanted, last), fault, place=way.place)
        _assert_zero(y, padding, f"output at {way.place}")
        (gradient,) = gradients(result, [x])
        _assert_zero(gradient, padding, f"gradient of the input at {way.place}")


@of_each_setting
def check_neighbours_change_nothing(subject: Subject) -> None:
    """A row of a batch is as it is alone, forth, back and in trees."""
    for way in (FORTH, BACK, UP):
        y, state = way.read(subject.cell, subject.x, way.structure, subject.state)
        for n, alone in enumerate(_alone(subject, way)):
            row = slice(n, n + 1)
            fault = f"{way.how} changes with the other rows of the batch".lstrip()
            assert_same_result((y[row], states.select(state, row)), alone, fault, place=way.place)


@of_each_setting
def check_the_gradient_of_a_batch_is_that_of_its_rows(subject: Subject) -> None:
    """So several processes, each with some of the rows, learn what one would."""
    named = dict(subject.cell.named_parameters())
    parameters = list(named.values())
    for way in (FORTH, BACK, UP):
        whole = gradients(way.read(subject.cell, subject.x, way.structure, subject.state), parameters)
        rows = [gradients(row, parameters) for row in _alone(subject, way)]
        for name, found, parts in zip(named, whole, zip(*rows, strict=True), strict=True):
            assert_same(
                found,
                torch.stack(parts).sum(0),
                f"the gradient of parameter {name!r}",
                f"over a batch{way.how} is not the sum of its rows'",
            )


@of_each_setting
def check_rows_can_change_places(subject: Subject) -> None:
    """A state whose rows are taken in another order, some twice, goes on as those rows: a beam search."""
    cell, order = subject.cell, torch.tensor([2, 0, 0, 3, 1, 2])
    z = cell.project(subject.x[:, 0])
    y, state = cell.step(z, subject.state)
    found, after = cell.step(z[order], states.select(subject.state, order))
    fault = "changes when the rows of input and state are put in another order, as a beam search does"
    assert_same(found, y[order], "the output of step", fault)
    assert_same_state(after, states.select(state, order), fault)


def _alone(subject: Subject, way: Way) -> list[Result]:
    """What comes of each row when it is read alone."""
    rows = [slice(n, n + 1) for n in range(ROWS)]
    return [
        way.read(subject.cell, subject.x[row], way.structure[row], states.select(subject.state, row))
        for row in rows
    ]


def _assert_zero(tensor: Tensor, padding: Tensor, what: str) -> None:
    wrong = ((tensor != 0).any(-1) & padding).any(0)  # (T,)
    require(not bool(wrong.any()), f"{what} {int(wrong.int().argmax()) + 1} in the padding is not zero")
