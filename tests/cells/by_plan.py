"""Every cell of sequences that is installed, in each of its settings, by a plan and by its steps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnx.core.cell import TreeCell
from rnnx.core.registry import plugins
from rnnx.core.state import State
from rnnx.core.testing.cells.subject import subjects
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.sorting import Kernels, taken_apart
from rnnx.core.unrolling.steps import Start, step_by_step
from rnnx.core.unrolling.unrolled import unrolled

SIZES = [4, 3, 1]
SUBJECTS = {
    f"{plugin.name} {subject.setting}".strip(): subject
    for plugin in plugins("cell")
    if not issubclass(plugin.load(), TreeCell)
    for subject in subjects(plugin.load())
}


def as_the_steps(name: str, kernels: Kernels, start: Start = Start.PROJECTED) -> Plan:
    """A plan in 32 bits that gives what the steps give, gradients too."""
    subject = SUBJECTS[name]
    state = tuple(tensor.float().requires_grad_() for tensor in subject.state)
    cell = subject.build(seed=0).float()
    x = subject.x.float()[:, :2].flatten(0, 1)  # (M, I)
    given = (x if start is Start.INPUTS else cell.project(x)).detach().requires_grad_()
    plan = taken_apart(cell, given, state, kernels=kernels, start=start)
    of = [given, *state, *cell.parameters()]
    found = results(unrolled(plan, cell, given, SIZES, state), of)
    wanted = results(step_by_step(cell.step, start.projected(cell, given), SIZES, state), of)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    return plan


def results(outputs: tuple[Tensor, State], of: Sequence[Tensor]) -> list[Tensor]:
    y, last = outputs
    total = torch.stack([end.square().sum() for end in (y, *last) if end.requires_grad]).sum()
    return [y, *last, *torch.autograd.grad(total, of, allow_unused=True, materialize_grads=True)]
