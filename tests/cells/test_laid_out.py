"""Every cell of sequences that is installed, in each of its settings, with its matrices laid out before."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from rnnx.core.cell import TreeCell
from rnnx.core.registry import plugins
from rnnx.core.state import State
from rnnx.core.testing.cells.subject import subjects
from rnnx.core.unrolling import products
from rnnx.core.unrolling.plan import taken_apart
from rnnx.core.unrolling.steps import step_by_step
from rnnx.core.unrolling.unrolled import unrolled
from tests.core.unrolling.counting import Operations

MKLDNN = torch.ops.mkldnn
SIZES = [4, 3, 1]
SUBJECTS = {
    f"{plugin.name} {subject.setting}".strip(): subject
    for plugin in plugins("cell")
    if not issubclass(plugin.load(), TreeCell)
    for subject in subjects(plugin.load())
}
ELEMENTWISE = ("qrnn", "sru")  # they multiply with no matrix step by step


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_gives_what_the_steps_give(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "NUMBERS", 1)
    subject = SUBJECTS[name]
    state = tuple(tensor.float().requires_grad_() for tensor in subject.state)
    cell = subject.cell.float()
    z = cell.project(subject.x.float())[:, :2].flatten(0, 1).detach().requires_grad_()  # (M, P)
    plan = taken_apart(cell, z, state, lay_out=True)
    with Operations() as counted:
        found = results(unrolled(plan, cell, z, SIZES, state), [z, *state, *cell.parameters()])
    laid = counted.counts[MKLDNN._reorder_linear_weight.default]
    assert (laid > 0) == (name.split()[0] not in ELEMENTWISE)
    wanted = results(step_by_step(cell.step, z, SIZES, state), [z, *state, *cell.parameters()])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def results(outputs: tuple[Tensor, State], of: Sequence[Tensor]) -> list[Tensor]:
    y, last = outputs
    total = torch.stack([end.square().sum() for end in (y, *last) if end.requires_grad]).sum()
    return [y, *last, *torch.autograd.grad(total, of, allow_unused=True, materialize_grads=True)]
