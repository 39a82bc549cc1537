"""Checks of how a cell reads sequences: as its steps say, whole or in chunks, forth or back."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rnnx.core import engine
from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells.check import of_each_setting
from rnnx.core.testing.cells.gradients import gradients
from rnnx.core.testing.cells.results import Result, assert_same_result
from rnnx.core.testing.cells.subject import Subject
from rnnx.core.testing.cells.ways import BACK, EQUAL, FORTH, ROWS, Sequences
from rnnx.core.testing.comparison import assert_same
from rnnx.core.unrolling.packing import Packing
from rnnx.core.unrolling.plans import plan_of
from rnnx.core.unrolling.unrolled import unrolled


@of_each_setting
def check_a_sequence_is_its_steps_one_by_one(subject: Subject) -> None:
    """Inputs that are projected together are as if projected step by step, as in a decoder."""
    cell, state, outputs = subject.cell, subject.state, []
    for x in subject.x.unbind(1):  # (N, I)
        y, state = cell.step(cell.project(x), state)
        outputs.append(y)
    together = engine.loop(cell, subject.x, None, subject.state)
    assert_same_result(
        together,
        (torch.stack(outputs, 1), state),
        "changes when all steps are projected together",
    )
    rows = cell.project(subject.x.flatten(0, 1))
    fault = (
        "of a sequence (N, T, I) is not that of its steps as rows (N * T, I), though only the last I counts"
    )
    assert_same(cell.project(subject.x).flatten(0, 1), rows, "what project gives", fault)


@of_each_setting
def check_unroll_is_the_loop_of_steps(subject: Subject) -> None:
    """The faster way, where there is one, gives what the steps give, and its gradients."""
    _assert_loop(subject, lambda cell, *given: cell.unroll(*given), "unrolled")


@of_each_setting
def check_the_engines_way_is_the_loop_of_steps(subject: Subject) -> None:
    """A step taken apart, where it can be, gives what the steps give, and its gradients."""
    _assert_loop(subject, _taken_apart, "its step is taken apart")


@of_each_setting
def check_reading_twice_gives_the_same(subject: Subject) -> None:
    """Nothing is remembered but in the state, and nothing is drawn at random."""
    cell = subject.cell
    first, second = (FORTH.read(cell, subject.x, FORTH.structure, subject.state) for _ in range(2))
    assert_same_result(second, first, "changes when the same sequence is read again")


@of_each_setting
def check_chunks_with_the_state_carried_are_the_whole(subject: Subject) -> None:
    """A sequence cut anywhere, with the state handed on, is the sequence."""
    cell, x, lengths = subject.cell, subject.x, FORTH.structure
    whole = FORTH.read(cell, x, lengths, subject.state)
    for cut in range(1, x.shape[1]):
        y, state = engine.scan(cell, x[:, :cut], lengths.clamp(max=cut), subject.state)
        rest, state = engine.scan(cell, x[:, cut:], (lengths - cut).clamp(min=0), state)
        chunks = torch.cat((y, rest), 1), state
        assert_same_result(chunks, whole, f"changes when the sequence is cut after step {cut}")


@of_each_setting
def check_reversal_is_the_flipped_sequence(subject: Subject) -> None:
    """To read a row from its end is to read it turned round, step by step, and to turn what comes."""
    cell, x, lengths = subject.cell, subject.x, BACK.structure
    y, rows = x.new_zeros(*x.shape[:2], cell.output_size), []
    for n in range(ROWS):
        real = slice(int(lengths[n]))
        turned = x[n, real].flip(0).unsqueeze(0)
        outputs, state = engine.loop(cell, turned, None, states.select(subject.state, slice(n, n + 1)))
        y[n, real] = outputs[0].flip(0)
        rows.append(state)
    back = BACK.read(cell, x, lengths, subject.state)
    assert_same_result(back, (y, states.join(rows)), "read backwards is not that of the flipped sequence")


def _taken_apart(cell: Cell, x: Tensor, lengths: Tensor | None, state: State) -> Result | None:
    """What the engine reads by a cell's plan, if there is one."""
    packing = Packing.of(x, lengths)
    z, before = cell.project(packing.pack(x)), packing.sort(state)
    plan = plan_of(cell, z, before)
    if plan is None:
        return None
    y, last = unrolled(plan, cell, z, packing.sizes, before)
    return packing.unpack(y), packing.restore(last)


def _assert_loop(subject: Subject, faster: Callable[..., Result | None], what: str) -> None:
    """Whatever a faster way reads is what the loop reads, with gradients and without."""
    for way in (EQUAL, FORTH):
        for grad in (True, False):
            with torch.set_grad_enabled(grad):
                _assert_same_reading(subject, way, grad, faster, what)


def _assert_same_reading(
    subject: Subject, way: Sequences, grad: bool, faster: Callable[..., Result | None], what: str
) -> None:
    cell, x, state = subject.cell, subject.x, subject.state
    named = {"the input": x, **{f"state tensor {number}": tensor for number, tensor in enumerate(state, 1)}}
    for tensor in named.values():
        tensor.requires_grad_(grad)
    lengths = None if way is EQUAL else way.structure
    read = faster(cell, x, lengths, state)
    if read is None:
        return
    fault = f"changes when {what} at {'equal' if lengths is None else 'different'} lengths"
    stepped = engine.loop(cell, x, lengths, state)
    assert_same_result(read, stepped, fault)
    if grad:
        named |= {f"parameter {name!r}": parameter for name, parameter in cell.named_parameters()}
        found, wanted = (gradients(result, list(named.values())) for result in (read, stepped))
        for name, one, other in zip(named, found, wanted, strict=True):
            assert_same(one, other, f"the gradient of {name}", fault)
