"""Checks that what a net regularises its cells with acts on a cell in training, and is off in evaluation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

import torch
from torch import Tensor, nn

from rnnx.core import engine
from rnnx.core.cell import Cell
from rnnx.core.errors import UsageError
from rnnx.core.layers import Layer, Recurrent
from rnnx.core.net import Net
from rnnx.core.nets.matrices import recurrent_matrices
from rnnx.core.nets.recurrent_dropout import has_candidate
from rnnx.core.nets.variational_dropout import VariationalDropout
from rnnx.core.nets.weight_drop import WeightDrop
from rnnx.core.nets.zoneout import Zoneout
from rnnx.core.spec import Spec
from rnnx.core.state import State
from rnnx.core.testing.cells.check import of_each_setting
from rnnx.core.testing.cells.results import Result, assert_same_result, assert_same_state
from rnnx.core.testing.cells.subject import INPUT_SIZE, Subject
from rnnx.core.testing.cells.ways import EQUAL, FORTH, ROWS, Sequences
from rnnx.core.testing.comparison import assert_same, require

RATE: Final = 0.5  # of everything that is dropped or kept
SEED: Final = 3


@of_each_setting
@torch.no_grad()
def check_zoneout_acts(subject: Subject) -> None:
    """In training each number of the state is the old one or the cell's, in evaluation the mean of both.

    An output that is a tensor of the state is so also after zoneout, which knows it by being the same object.
    """
    cell, state = subject.cell, subject.state
    zoned = Zoneout(copy.deepcopy(cell), [RATE] * len(state))
    _train(zoned, subject)
    kept = [torch.zeros(0, dtype=torch.bool)] * len(state)
    torch.manual_seed(SEED)
    for x in subject.x.unbind(1):  # (N, I)
        y, after = cell.step(cell.project(x), state)
        mixed_y, mixed = zoned.step(zoned.project(x), state)
        for number, (old, new, found) in enumerate(zip(state, after, mixed, strict=True)):
            moved = old != new
            either = ((found == old) | (found == new)).all()
            require(
                bool(either), f"state tensor {number + 1} with zoneout is neither the old nor the new one"
            )
            kept[number] = torch.cat((kept[number], (found == old)[moved]))
            if torch.equal(y, new):
                fault = f"is not state tensor {number + 1} after zoneout, as step gives a copy of it"
                assert_same(mixed_y, found, "the output", fault)
        state = mixed
    for number, mask in enumerate(kept, 1):
        acts = len(mask) == 0 or bool(mask.any() and not mask.all())
        require(acts, f"state tensor {number} is the same with zoneout and without")
    _, after = cell.step(cell.project(x), state)
    expected = tuple(RATE * old + (1 - RATE) * new for old, new in zip(state, after, strict=True))
    fault = "in evaluation is not the mean of old and new"
    assert_same_state(zoned.eval().step(zoned.project(x), state)[1], expected, fault)


@of_each_setting
@torch.no_grad()
def check_weight_drop_acts(subject: Subject) -> None:
    """In training the cell multiplies its past by the matrices that it is handed, some weights dropped.

    A cell that multiplies its past by no matrix is refused by name.
    """
    if _has_matrices(subject, "weight_drop"):
        dropping = WeightDrop(Layer(copy.deepcopy(subject.cell)), RATE, 0.0)
        _assert_regularised(subject, dropping, partial(_with_matrices, subject, dropping), "weight drop")


@of_each_setting
@torch.no_grad()
def check_variational_dropout_acts(subject: Subject) -> None:
    """In training one mask for all steps lies on what is read, on what is given, and on the state's products.

    A cell that multiplies its past by no matrix is refused by name, where the state is to be dropped.
    """
    around = VariationalDropout(Layer(copy.deepcopy(subject.cell)), RATE, RATE)
    _assert_regularised(subject, around, partial(_with_masks, subject, around), "variational dropout")
    if _has_matrices(subject, "variational_state"):
        dropping = WeightDrop(Layer(copy.deepcopy(subject.cell)), 0.0, RATE)
        what = "variational dropout of the state"
        _assert_regularised(subject, dropping, partial(_with_matrices, subject, dropping), what)


@of_each_setting
def check_recurrent_dropout_acts(subject: Subject) -> None:
    """In training what passes through :meth:`Cell.drop_candidate` is dropped, and the memory is not lost.

    A cell that passes nothing through it is refused by name.
    """
    cell, state, x = copy.deepcopy(subject.cell), subject.state, subject.x
    if not has_candidate(cell):
        _assert_refused(subject, "recurrent_dropout")
        return
    cell.train().recurrent_dropout = 1.0
    for tensor in state:
        tensor.requires_grad_()
    _, after = cell.step(cell.project(x[:, 0]), state)
    total = torch.stack([tensor.sum() for tensor in after]).sum()
    slopes = torch.autograd.grad(total, state, materialize_grads=True)
    remembered = any(bool(slope.any()) for slope in slopes)
    require(
        remembered, "nothing of the state is left when the candidate is dropped: the memory is dropped too"
    )
    cell.recurrent_dropout = RATE
    with torch.no_grad():
        plain = engine.scan(subject.cell, x, FORTH.structure, state)
        found = engine.scan(cell, x, FORTH.structure, state)
        _assert_other(found, plain, "recurrent dropout")
        found = engine.scan(cell.eval(), x, FORTH.structure, state)
        assert_same_result(found, plain, "changes in evaluation with recurrent dropout")


@final
@dataclass(frozen=True)
class _Built(Spec):
    """A cell that is there already, as a net asks for it."""

    cell: Cell

    def build(self, *positional: Any) -> Cell:
        return copy.deepcopy(self.cell)


def _assert_refused(subject: Subject, option: str) -> None:
    name = subject.cell_class.__name__
    options: dict[str, Any] = {option: RATE}
    try:
        Net(_Built("cell", name, {}, subject.cell), **options).decoder(INPUT_SIZE)
    except UsageError as error:
        named = f"net.{option}: cell {name!r}" in str(error)
        require(named, f"net.{option} is refused without its name and the cell's: {error}")
    else:
        raise AssertionError(f"net.{option} is not refused, though there is nothing to drop")


def _has_matrices(subject: Subject, option: str) -> bool:
    found = recurrent_matrices(subject.cell)
    if not found:
        _assert_refused(subject, option)
    return bool(found)


def _with_matrices(subject: Subject, dropping: WeightDrop, way: Sequences) -> Result:
    """What a cell reads whose matrices are written over with the dropped ones."""
    (dropped,) = dropping.noise(ROWS, subject.x)
    oracle = Layer(copy.deepcopy(subject.cell))
    oracle.load_state_dict({**oracle.state_dict(), **dropped})
    return engine.loop(oracle.cell, subject.x, way.structure, subject.state)


def _with_masks(subject: Subject, around: VariationalDropout, way: Sequences) -> Result:
    """What a cell reads of masked inputs, masked."""
    before, after, _ = around.noise(ROWS, subject.x)
    y, state = engine.loop(subject.cell, subject.x * before.unsqueeze(1), way.structure, subject.state)
    return y * after.unsqueeze(1), state


def _assert_regularised(
    subject: Subject, net: Recurrent, by_hand: Callable[[Sequences], Result], what: str
) -> None:
    """Read whole and step by step it is in training as by hand, and in evaluation as without."""
    x, state = subject.x, subject.state
    for way in (EQUAL, FORTH):
        _train(net, subject)
        torch.manual_seed(SEED)
        expected = by_hand(way)
        plain = engine.scan(subject.cell, x, way.structure, state)
        _assert_other(expected, plain, what)
        torch.manual_seed(SEED)
        fault = f"{way.how} with {what} is not as if the cell were so changed by hand".lstrip()
        assert_same_result(net(x, way.structure, state), expected, fault)
        if way is EQUAL:
            torch.manual_seed(SEED)
            assert_same_result(_stepped(net, x, state), expected, f"{fault}, when read step by step")
        fault = f"{way.how} changes in evaluation with {what}".lstrip()
        assert_same_result(net.eval()(x, way.structure, state), plain, fault)


def _train(net: nn.Module, subject: Subject) -> None:
    """Puts a net into training, but for a cell that draws random numbers of its own there."""
    net.train()
    for module in net.modules():
        if isinstance(module, subject.cell_class):
            module.train(not subject.draws)


def _stepped(net: Recurrent, x: Tensor, state: State) -> Result:
    """A sequence read step by step, all with one noise."""
    noise, outputs = net.noise(len(x), x), []
    for x_t in x.unbind(1):  # (N, I)
        y, state = net.step(x_t, state, noise)
        outputs.append(y)
    return torch.stack(outputs, 1), state


def _assert_other(found: Result, plain: Result, what: str) -> None:
    (y, state), (plain_y, plain_state) = found, plain
    same = all(map(torch.equal, (y, *state), (plain_y, *plain_state)))
    require(not same, f"{what} does nothing: outputs and states are those of the cell without it")
