"""Checks of a cell's numbers: gradients, half precision, and weights that come back from a file."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import torch
from torch import Tensor

from rnnx.core import engine
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells.check import of_each_setting
from rnnx.core.testing.cells.gradients import gradients
from rnnx.core.testing.cells.results import Result, assert_same_result
from rnnx.core.testing.cells.subject import Subject
from rnnx.core.testing.cells.ways import EQUAL, FORTH, UP, Way
from rnnx.core.testing.comparison import require

EPSILON = 1e-6  # of finite differences
CLOSE = 1e-5  # gradients to finite differences
HALF_CLOSE = 0.1  # bfloat16, with its 8 bits, to float32, after a few steps


@of_each_setting
@torch.no_grad()
def check_numbers_are_finite(subject: Subject) -> None:
    """Outputs and states are, of sequences and of trees."""
    for way in (FORTH, UP):
        y, state = way.read(subject.cell, subject.x, way.structure, subject.state)
        for step, output in enumerate(y.unbind(1), 1):
            require(bool(output.isfinite().all()), f"the output at {way.place} {step} has numbers not finite")
        for number, tensor in enumerate(state, 1):
            require(bool(tensor.isfinite().all()), f"state tensor {number}{way.how} has numbers not finite")


@of_each_setting
def check_gradients_are_those_of_finite_differences(subject: Subject) -> None:
    """The derivative of outputs and state along a random direction, for input, state and each parameter."""
    for way in (EQUAL, FORTH, UP):
        x, state = subject.x.requires_grad_(), subject.state
        for tensor in state:
            tensor.requires_grad_()
        named = {"the input": x, **{f"state tensor {number}": one for number, one in enumerate(state, 1)}}
        slopes = _slopes(way.read(subject.cell, x, way.structure, state)[0], named)
        smooth = {name: named[name] for name, slope in slopes.items() if bool(slope.any())}
        smooth |= {f"parameter {name!r}": parameter for name, parameter in subject.cell.named_parameters()}
        found = gradients(way.read(subject.cell, x, way.structure, state), list(smooth.values()))
        for (name, tensor), gradient in zip(smooth.items(), found, strict=True):
            direction = torch.randn_like(tensor)
            ours = float((gradient * direction).sum())
            theirs = _difference(subject, way, x, state, tensor, direction)
            require(
                abs(ours - theirs) <= CLOSE * max(1.0, abs(theirs)),
                f"the gradient of {name}{way.how} is {ours:.6g} along a random direction where finite "
                f"differences give {theirs:.6g}",
            )


@of_each_setting
def check_every_parameter_gets_a_gradient(subject: Subject) -> None:
    """From the output of a sequence: training on several devices stops at a parameter that gets none."""
    x = subject.x
    y, _ = engine.loop(subject.cell, x, FORTH.structure, subject.cell.initial_state(len(x), x))
    trained = {name: p for name, p in subject.cell.named_parameters() if p.requires_grad}
    require(bool(trained), "the cell has no parameter to train")
    reached = _slopes(y, trained)
    missing = [name for name in trained if name not in reached]
    require(not missing, f"no gradient reaches parameter {', '.join(missing)} from the output of a sequence")


@of_each_setting
def check_saving_and_loading_change_nothing(subject: Subject) -> None:
    """The weights, written and read with ``weights_only=True``, make another cell of the class the same."""
    file = BytesIO()
    torch.save(subject.cell.state_dict(), file)
    file.seek(0)
    other = subject.build(seed=1)
    other.load_state_dict(torch.load(file, weights_only=True))
    found, wanted = (
        FORTH.read(cell, subject.x, FORTH.structure, subject.state) for cell in (other, subject.cell)
    )
    fault = "changes when the weights are saved and loaded, as a tensor is neither parameter nor buffer"
    assert_same_result(found, wanted, fault)


@of_each_setting
def check_bfloat16_stays_finite_and_close(subject: Subject) -> None:
    """Under autocast outputs, states and gradients are finite, and near those of float32."""
    cell, x = subject.build(seed=0).float(), subject.x.float()
    state = tuple(tensor.float() for tensor in subject.state)
    for way in (EQUAL, FORTH, UP):
        for grad in (False, True):
            with torch.set_grad_enabled(grad):
                wanted = way.read(cell, x, way.structure, state)
                found = _half(cell, x, state, way)
            fault = f"{way.how} changes under bfloat16 autocast".lstrip()
            assert_same_result(found, wanted, fault, HALF_CLOSE, way.place)
        named = dict(cell.named_parameters())
        for name, gradient in zip(named, gradients(found, list(named.values())), strict=True):
            what = f"the gradient of parameter {name!r}{way.how}"
            require(bool(gradient.isfinite().all()), f"{what} is not finite under bfloat16 autocast")


def _half(cell: Cell, x: Tensor, state: State, way: Way) -> Result:
    """What is read under autocast, its numbers in 32 bits."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, last = way.read(cell, x, way.structure, state)
    return y.float(), tuple(tensor.float() for tensor in last)


def _slopes(y: Tensor, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradients at those that the output comes from: not a clock, nor a state that trees do not take."""
    found = torch.autograd.grad(y.sum(), list(named.values()), allow_unused=True)
    return {name: slope for name, slope in zip(named, found, strict=True) if slope is not None}


def _difference(
    subject: Subject, way: Way, x: Tensor, state: State, tensor: Tensor, direction: Tensor
) -> float:
    """The central difference of the sum of squares as one of the tensors read moves along a direction."""
    totals = []
    with torch.no_grad():
        for move in (EPSILON, -2 * EPSILON):
            tensor.add_(move * direction)
            y, last = way.read(subject.cell, x, way.structure, state)
            totals.append(sum(float(one.square().sum()) for one in (y, *last)))
        tensor.add_(EPSILON * direction)
    return (totals[0] - totals[1]) / (2 * EPSILON)
