"""What a net does while it reads: the states and the gates of any cell, step by step.

No cell helps with it: its ``step`` is watched from outside, and a gate is whatever ``torch.sigmoid`` gives
within it. So a stranger's cell is recorded like those here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rnnx.core.cell import Cell
from rnnx.core.layers import Layer
from rnnx.core.state import State

SIGMOIDS: Final = (torch.sigmoid, Tensor.sigmoid, torch.sigmoid_, Tensor.sigmoid_, torch.special.expit)


@final
@dataclass(frozen=True)
class Step:
    """A step of ``n`` rows.

    Attributes:
        z: What it read, ``(n, P)``.
        before: The state before it.
        after: The state after it.
        gates: What each sigmoid within it gave, ``(n, width)`` each, in the order of their computation.
    """

    z: Tensor
    before: State
    after: State
    gates: list[Tensor]


@final
class Record:
    """What a layer's cell does, in sequences: a scan, or steps between scans.

    Attributes:
        layer: The layer's place.
        cell: Its cell.
        reverse: Whether it reads from the last step to the first.
        sequences: The steps of each, in the order in which they were made.
    """

    def __init__(self, layer: str, cell: Cell, reverse: bool) -> None:
        self.layer, self.cell, self.reverse, self._step = layer, cell, reverse, cell.step
        self.sequences: list[list[Step]] = [[]]

    @property
    def steps(self) -> list[Step]:
        """All of them."""
        return [step for steps in self.sequences for step in steps]

    def begin(self, *_: Any) -> None:
        """Before and after a scan, as a hook of the layer."""
        self.sequences.append([])

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        """The cell's step."""
        with Gates() as gates:
            y, after = self._step(z, state)
        if torch.is_grad_enabled():
            for tensor in after:
                tensor.requires_grad_()  # also where no parameter came in
        self.sequences[-1].append(Step(z, state, after, gates.found))
        return y, after


@final
class Gates(TorchFunctionMode):
    """Keeps what every sigmoid gives.

    Example:
        >>> with Gates() as gates:
        ...     _ = torch.sigmoid(torch.zeros(2)), torch.tanh(torch.zeros(2))
        >>> gates.found
        [tensor([0.5000, 0.5000])]
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in SIGMOIDS:
            self.found.append(result.clone())
        return result


@contextmanager
def recording(net: nn.Module) -> Iterator[list[Record]]:
    """Records what the layers within a net do until the context is left, by the loop of their cells' steps.

    Meanwhile no layer recomputes: its steps would be made again when nobody records them.

    Args:
        net: A net, or a task.

    Returns:
        The record of each layer in the order of the modules; a cell that layers share has one.
    """
    records: dict[Cell, Record] = {}
    with ExitStack() as stack:
        for name, layer in net.named_modules():
            if not isinstance(layer, Layer):
                continue
            if layer.cell not in records:
                record = records[layer.cell] = Record(name, layer.cell, layer.reverse)
                _shadow(stack, layer.cell, "step", record.step)
                _shadow(stack, layer.cell, "unroll", lambda x, lengths, state: None)
            stack.callback(setattr, layer, "recompute", layer.recompute)
            layer.recompute = False
            stack.enter_context(layer.register_forward_pre_hook(records[layer.cell].begin))
            stack.enter_context(layer.register_forward_hook(records[layer.cell].begin))
        yield list(records.values())


@final
@dataclass(frozen=True)
class Trail:
    """What one layer did along one sequence.

    Attributes:
        layer: The layer's place.
        states: Each tensor of the state after each step, ``(T, size)``, in reading order.
        gates: Each gate at each step, ``(T, width)``, in reading order; none of a cell without gates, or with
            other gates at one step than at another. A sigmoid that is some times as wide as the state is so
            many gates side by side.
    """

    layer: str
    states: list[Tensor]
    gates: list[Tensor]

    def parts(self) -> dict[str, Tensor]:
        """States and gates by name.

        Example:
            >>> list(Trail("", [torch.zeros(3, 2)], [torch.zeros(3, 2), torch.zeros(3, 2)]).parts())
            ['state 1', 'gate 1', 'gate 2']
        """
        named = (("state", self.states), ("gate", self.gates))
        return {f"{kind} {place}": part for kind, parts in named for place, part in enumerate(parts, 1)}


@torch.no_grad()
def trails(net: nn.Module, read: Callable[[], object]) -> list[Trail]:
    """What each layer of a net does while it reads one sequence.

    Args:
        net: The net, or a task.
        read: Has the net read a batch of one row.

    Returns:
        Of each layer that read anything, in the order of the modules.

    Example:
        >>> class Sum(Cell):
        ...     input_size, output_size, state_sizes = 1, 1, (1,)
        ...     def step(self, z, state):
        ...         return z, (state[0] + z * torch.sigmoid(z),)
        >>> net = Layer(Sum())
        >>> [trail] = trails(net, lambda: net(torch.tensor([[[0.], [0.], [100.]]])))
        >>> trail.states[0].flatten().tolist(), trail.gates[0].flatten().tolist()
        ([0.0, 0.0, 100.0], [0.5, 0.5, 1.0])
    """
    with recording(net) as records:
        read()
    return [_trail(record) for record in records if record.steps]


def _trail(record: Record) -> Trail:
    steps = record.steps[:: -1 if record.reverse else 1]
    states = [_along([step.after[place] for step in steps]) for place in range(len(record.cell.state_sizes))]
    widths = {tuple(gate.shape for gate in step.gates) for step in steps}
    gates = zip(*(step.gates for step in steps), strict=True) if len(widths) == 1 else ()
    return Trail(record.layer, states, [part for gate in gates for part in _apart(_along(gate), states)])


def _along(rows: Sequence[Tensor]) -> Tensor:
    """One row at each step, ``(1, size)``, as ``(T, size)``."""
    return torch.cat([row.flatten(1) for row in rows]).cpu()


def _apart(gates: Tensor, states: Sequence[Tensor]) -> Sequence[Tensor]:
    """The gates that were computed side by side, ``(T, k * size)``."""
    size = states[0].shape[1] if states else 0
    return gates.split(size, 1) if size and gates.shape[1] % size == 0 else [gates]


def _shadow(stack: ExitStack, cell: Cell, name: str, method: Callable[..., Any]) -> None:
    """Puts a function before a cell's method, until the stack is left; its parameters keep their names."""
    own = vars(cell)
    if name in own:
        stack.callback(own.__setitem__, name, own[name])
    else:
        stack.callback(own.pop, name)
    own[name] = method
