"""Checks of how a cell reads trees."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core import engine
from rnnx.core import state as states
from rnnx.core.state import State
from rnnx.core.testing.cells.check import of_each_setting
from rnnx.core.testing.cells.results import assert_same_result, assert_same_state
from rnnx.core.testing.cells.subject import Subject
from rnnx.core.testing.cells.ways import ROWS, STEPS
from rnnx.core.testing.comparison import assert_same, require

JUNK = 1e3  # where there is no child


@of_each_setting
def check_a_chain_is_a_sequence(subject: Subject) -> None:
    """A tree of single children, either way up, is the sequence from a state of zeros."""
    cell, x = subject.cell, subject.x
    zeros = states.zeros(ROWS, cell.state_sizes, x)
    for reverse, chain in ((False, [*range(1, STEPS), -1]), (True, [-1, *range(STEPS - 1)])):
        tree = engine.fold(cell, x, torch.tensor([chain] * ROWS))
        sequence = engine.scan(cell, x, None, zeros, reverse)
        assert_same_result(tree, sequence, "changes when the sequence is read as a tree, a chain of nodes")


@of_each_setting
def check_absent_children_change_nothing(subject: Subject) -> None:
    """A place for a child, where there is none, adds nothing and gets no gradient, whatever stands in it."""
    for present in (0, 1):
        mask = torch.arange(2).expand(ROWS, -1) < present  # (N, K)
        clean, junk = (_children(subject.state, mask, value) for value in (0.0, JUNK))
        wanted, found = _node(subject, clean, mask), _node(subject, junk, mask)
        _assert_same_node(found, wanted, "changes with what stands where there is no child")
        y, state = found
        total = torch.stack([tensor.sum() for tensor in (y, *state)]).sum()
        for gradient in torch.autograd.grad(total, junk, allow_unused=True):
            reached = gradient is not None and bool(gradient[~mask].any())
            require(not reached, "the gradient of fold reaches a place where there is no child")
        alone = tuple(tensor.unsqueeze(1)[:, :present] for tensor in subject.state)
        _assert_same_node(wanted, _node(subject, alone, mask[:, :present]), "changes with empty places")


def _children(state: State, mask: Tensor, junk: float) -> State:
    """The state as first child ``(N, K, size)`` of the places that the mask has; junk in the others."""
    repeated = (tensor.unsqueeze(1).repeat(1, mask.shape[1], 1) for tensor in state)
    return tuple(tensor.masked_fill(~mask.unsqueeze(-1), junk).requires_grad_() for tensor in repeated)


def _node(subject: Subject, children: State, mask: Tensor) -> tuple[Tensor, State]:
    return subject.cell.fold(subject.cell.project(subject.x[:, 0]), children, mask)


def _assert_same_node(found: tuple[Tensor, State], wanted: tuple[Tensor, State], fault: str) -> None:
    assert_same(found[0], wanted[0], "the output of fold", fault)
    assert_same_state(found[1], wanted[1], fault)
