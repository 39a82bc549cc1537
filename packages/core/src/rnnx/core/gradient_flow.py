"""Gradient flow: how far back a net remembers, and where what it learns from is lost.

Hochreiter 1991 and Bengio, Simard & Frasconi 1994 on why it vanishes; Pascanu, Mikolov & Bengio 2013 on the
norms below. Of a run in ``runs/``::

    for flow in Experiment.load("lm-lstm").flow():
        print(flow.layer, flow.memory, flow.contraction)
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.functional import vjp
from torch.nn.utils.rnn import pad_sequence

from rnnx.core.batch import Batch
from rnnx.core.cell import Cell
from rnnx.core.exhibits.recording import Gates, Record, Step, recording
from rnnx.core.files import write_text
from rnnx.core.runs import FLOW
from rnnx.core.state import State
from rnnx.core.task import Task

LAGS = 200
LOW, HIGH = 0.1, 0.9  # a gate beyond these is saturated (Karpathy, Johnson & Li 2015, section 4.2)
JACOBIANS = 2048  # rows that are pulled back for the one-step Jacobians, all together


@final
@dataclass(frozen=True)
class Flow:
    """How gradients flow through one layer in one direction.

    The state ``s_t`` is all that the cell carries from step to step, its tensors side by side: of an LSTM
    ``(h_t, c_t)``. ``T`` is the last step of a row, in reading order, whose state the loss depends on, so
    padding never counts; the lag of step ``t`` is ``T - t``. What is said of many rows is the root of the
    mean square over those that are that long.

    Attributes:
        layer: The layer's place in the task, such as ``encoder.layers.0.forth``.
        loss: By lag, the norm of the gradient at ``s_t`` of the row's whole loss, in nats where that is a
            cross-entropy. A task with a loss at every step hears the near ones most, so its curve is flat.
        state: By lag, the Frobenius norm of ``ds_T / ds_t`` over that of the identity; it starts at 1.
        memory: The effective memory length: the first lag at which ``state`` is below ``1 / e``; None if it
            is at none.
        decay: The factor by which the norm of ``ds_T / ds_t`` shrinks with each lag: the geometric mean over
            all rows and lags. Below 1 the gradient vanishes exponentially, above 1 it explodes. NaN where
            there is but one step.
        contraction: The local contraction factor of the state map: the mean over steps, drawn at random, of
            the largest singular value of ``ds_t / ds_{t-1}``. Where it is below 1, a step brings near states
            nearer, whatever their difference. It is never below ``decay``, but for the drawing.
        low: The share of gate activations below 0.1; None of a cell without gates. A gate is whatever
            ``torch.sigmoid`` gives within the cell's ``step``.
        high: The share of gate activations above 0.9.
    """

    layer: str
    loss: list[float]
    state: list[float]
    memory: int | None
    decay: float
    contraction: float
    low: float | None
    high: float | None

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it: what is no finite number is None.

        Example:
            >>> flow = Flow("net", [0.5], [1.0], None, float("nan"), 0.9, None, None)
            >>> flow.to_plain()["contraction"], flow.to_plain()["decay"]
            (0.9, None)
        """
        return {name: _plain(value) for name, value in vars(self).items()}


def keep(flows: Sequence[Flow], folder: Path) -> None:
    """Writes ``flow.json`` into a run's folder: a list of what :meth:`Flow.to_plain` gives.

    Raises:
        RunError: the disk does not take it.
    """
    text = json.dumps([flow.to_plain() for flow in flows], indent=2, ensure_ascii=False)
    write_text(folder / FLOW, text + "\n")


def gradient_flow(
    task: Task, batch: Batch, *, lags: int = LAGS, rows: int = 8, probes: int = 8
) -> list[Flow]:
    """Measures how gradients flow through every recurrent layer of a task, in evaluation mode.

    Layers are read by the loop of their cell's ``step``, whatever faster way there is. A decoder that goes
    step by step is measured like a layer that reads all at once. The gradients of the parameters, the mode of
    the task and the random numbers to come stay as they are.

    Args:
        task: The task.
        batch: What it reads, on any device.
        lags: Lags at most.
        rows: Rows at most: the longest ones of the batch.
        probes: Random vectors a row that the norm of ``ds_T / ds_t`` is estimated from, the same each time;
            it is exact where the state is no wider.

    Returns:
        One for each layer and direction in the order of the modules, without those that read no sequence or
        that the loss does not depend on; none at all for a batch of trees, which has no lags.
    """
    if batch.parents is not None:
        return []
    with torch.enable_grad(), _evaluating(task):
        traces = _traces(task, _longest_rows(batch, rows).to(task.device))
        return [trace.flow(lags, probes) for trace in traces if len(trace.ends)]


def longest(batches: Iterable[Batch], steps: int = LAGS) -> Batch:
    """The longest batch, or the first that is as long as wanted.

    Batches that continue one another (truncated backpropagation through time) are one: their inputs and
    targets, ``(N, T, ...)`` both, are joined along time until they are as long as wanted.

    Args:
        batches: A split, in order.
        steps: How long is wanted.

    Example:
        >>> x = torch.tensor([[5, 6]])
        >>> first = Batch(x, torch.tensor([2]), x, torch.tensor([0]))
        >>> text = [first, replace(first, continues=True), replace(first, continues=True)]
        >>> longest(text).inputs.tolist(), longest(text, steps=3).inputs.tolist()
        ([[5, 6, 5, 6, 5, 6]], [[5, 6, 5, 6]])
    """
    return max(_joined(batches, steps), key=lambda batch: min(batch.inputs.shape[1], steps))


@contextmanager
def _evaluating(task: Task) -> Iterator[None]:
    training = task.training
    task.eval()
    try:
        yield
    finally:
        task.train(training)


def _traces(task: Task, batch: Batch) -> list[_Trace]:
    """The rows of every layer that reads sequences."""
    with recording(task) as records:
        total = task.loss(task(batch), batch).total
    tensors = [tensor for record in records for step in record.steps for tensor in step.after]
    if not tensors:
        return []
    gradients = iter(torch.autograd.grad(total, tensors, materialize_grads=True))
    return [_Trace.of(record, gradients) for record in records if record.steps]


@final
@dataclass(frozen=True)
class _Trace:
    """A layer's rows, those with the latest ends first.

    Args:
        layer: Its place.
        cell: Its cell.
        z: What each step read, ``(N, T, P)``.
        before: The state before it, ``(N, T, S)``.
        norms: Norm of the loss's gradient at the state after it, ``(N, T)``.
        ends: The last step of each row whose state the loss depends on, ``(N,)``, counted from 0.
    """

    layer: str
    cell: Cell
    z: Tensor
    before: Tensor
    norms: Tensor
    ends: Tensor

    @classmethod
    def of(cls, record: Record, gradients: Iterator[Tensor]) -> _Trace:
        """The rows that the loss depends on, of a record and the gradients at its states."""

        def rows(part: Callable[[Step], Tensor]) -> Tensor:
            padded = (pad_sequence([part(step) for step in steps]) for steps in record.sequences if steps)
            return pad_sequence([row for sequence in padded for row in sequence], batch_first=True)

        gradient = rows(lambda step: torch.cat(list(islice(gradients, len(step.after))), -1))
        norms = torch.linalg.vector_norm(gradient.cpu().double(), dim=-1)
        ends = ((norms != 0) * torch.arange(1, norms.shape[1] + 1)).amax(1) - 1  # -1 where there is none
        order = ends.argsort(descending=True, stable=True)[: int((ends >= 0).sum())]
        z = rows(lambda step: step.z.detach())
        before = rows(lambda step: torch.cat(step.before, -1).detach())
        return cls(record.layer, record.cell, z[order], before[order], norms[order], ends[order])

    def flow(self, lags: int, probes: int) -> Flow:
        """All that is measured."""
        lag = torch.arange(min(lags, int(self.ends[0])) + 1)
        at = self.ends.unsqueeze(1) - lag  # (N, lags + 1), negative before a row's first step
        loss = self.norms.gather(1, at.clamp(min=0)).log()
        state = self._log_norms(len(lag), probes)
        curve = _mean(state, at >= 0)
        real = (torch.arange(self.norms.shape[1]) <= self.ends.unsqueeze(1)).nonzero().unbind(1)
        low, high = self._saturation(*real)
        return Flow(
            self.layer,
            _mean(loss, at >= 0),
            curve,
            next((lag for lag, norm in enumerate(curve) if norm < 1 / math.e), None),
            _decay(state, self.ends.clamp(max=len(lag) - 1)),
            self._contraction(*real),
            low,
            high,
        )

    def _log_norms(self, count: int, probes: int) -> Tensor:
        """Of each row the logarithm of the norm of ``ds_T / ds_t`` over that of the identity, by lag.

        The probes are pulled back step by step, and brought to length 1 after each, so that neither a
        vanishing nor an exploding product leaves the range of the numbers.
        """
        rows, _, size = self.before.shape
        drawn = torch.randn(probes, rows, size, generator=torch.Generator().manual_seed(0))
        v = drawn if size > probes else torch.eye(size).unsqueeze(1).expand(-1, rows, -1)
        v = v.to(self.before)  # (K, N, S)
        v = v / torch.linalg.vector_norm(v, dim=(0, 2)).unsqueeze(-1)
        logs = torch.zeros(rows, dtype=torch.double)
        curve = [logs]
        for lag in range(1, count):
            running = int((self.ends >= lag).sum())
            v = self._pull(torch.arange(running), self.ends[:running] - lag + 1, v[:, :running])
            norm = torch.linalg.vector_norm(v, dim=(0, 2))  # (n,)
            v = v / norm.where(norm != 0, 1).unsqueeze(-1)
            logs = logs[:running] + norm.cpu().double().log()
            curve.append(F.pad(logs, (0, rows - running), value=-torch.inf))
        return torch.stack(curve, 1)  # (N, lags + 1)

    def _contraction(self, rows: Tensor, steps: Tensor) -> float:
        """The mean of the largest singular values of ``ds_t / ds_{t-1}`` at some of these steps."""
        size = self.before.shape[-1]
        some = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
        some = some[: max(JACOBIANS // size, 1)]
        basis = torch.eye(size).to(self.before).unsqueeze(1).expand(-1, len(some), -1)
        jacobian = self._pull(rows[some], steps[some], basis).cpu().double()  # (S, M, S)
        if not jacobian.isfinite().all():
            return math.nan
        return float(torch.linalg.matrix_norm(jacobian.transpose(0, 1), 2).mean())

    def _pull(self, rows: Tensor, steps: Tensor, v: Tensor) -> Tensor:
        """The products of vectors ``(K, M, S)`` with ``ds_t / ds_{t-1}`` at ``M`` steps, ``(K, M, S)``."""
        z = self.z[rows, steps].repeat(len(v), 1)

        def after(before: Tensor) -> Tensor:
            return torch.cat(self._step(z, before)[1], -1)

        _, pulled = vjp(after, self.before[rows, steps].repeat(len(v), 1), v.flatten(0, 1))
        return pulled.unflatten(0, v.shape[:2])

    @torch.no_grad()
    def _saturation(self, rows: Tensor, steps: Tensor) -> tuple[float | None, float | None]:
        """The shares of gate activations that are low and high at these steps."""
        with Gates() as gates:
            self._step(self.z[rows, steps], self.before[rows, steps])
        if not gates.found:
            return None, None
        values = torch.cat([found.flatten() for found in gates.found]).cpu().double()
        return float((values < LOW).double().mean()), float((values > HIGH).double().mean())

    def _step(self, z: Tensor, before: Tensor) -> tuple[Tensor, State]:
        return self.cell.step(z, before.split(list(self.cell.state_sizes), -1))


def _mean(logs: Tensor, valid: Tensor) -> list[float]:
    """The root of the mean square over the valid rows, of logarithms ``(N, L)``."""
    total = (2 * logs).masked_fill(~valid, -torch.inf).logsumexp(0)
    curve: list[float] = ((total - valid.double().sum(0).log()) / 2).exp().tolist()
    return curve


def _decay(logs: Tensor, last: Tensor) -> float:
    """The mean factor a lag, of logarithms ``(N, L)`` up to the last lag of each row ``(N,)``."""
    return float((logs.gather(1, last.unsqueeze(1)).sum() / last.sum()).exp())


def _longest_rows(batch: Batch, count: int) -> Batch:
    """Some rows of a batch as one that continues no other."""
    rows = batch.lengths.cpu().argsort(descending=True, stable=True)[:count]
    return replace(batch.select(rows.tolist()), continues=False)


def _joined(batches: Iterable[Batch], steps: int) -> Iterator[Batch]:
    """Batches, those that continue one another as one."""
    whole: Batch | None = None
    for batch in batches:
        if whole is None or not batch.continues:
            if whole is not None:
                yield whole
            whole = batch
        elif whole.inputs.shape[1] < steps:
            whole = replace(
                whole,
                inputs=torch.cat((whole.inputs, batch.inputs), 1),
                targets=torch.cat((whole.targets, batch.targets), 1),
                lengths=whole.lengths + batch.lengths,
            )
    if whole is not None:
        yield whole


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
