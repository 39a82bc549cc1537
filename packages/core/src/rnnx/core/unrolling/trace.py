"""A cell's step, and its gradients, as a graph of operations for any number of rows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from operator import getitem, mul
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.operations import (
    ATEN,
    by_rows,
    decided,
    draws,
    is_view,
    overwritten,
    without_writing,
)
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.substitution import called_with, contents, copies_of, named_tensors

ROWS = (2, 3)  # with which a step is recorded
SCATTERS = {  # what writes into a tensor what is shown of it
    ATEN.slice.Tensor: ATEN.slice_scatter.default,
    ATEN.select.int: ATEN.select_scatter.default,
}
TAKEN = (Tensor.numpy, Tensor.tolist, Tensor.__array__)
PLAINER = {ATEN._efficientzerotensor.default: ATEN.zeros.default}  # as of sgn's gradient, which has no memory
LARGE = 30.0  # inputs that a step may decide by where it should not


@final
class UntraceableError(Exception):
    """A step does what no graph can hold; the text goes on after "its step"."""


def gradients_of(
    outputs: Sequence[Tensor], of: Sequence[Tensor], at: Sequence[Tensor], create_graph: bool = False
) -> list[Tensor | None]:
    """The gradients at tensors from those at outputs; None where a tensor requires none or has none."""
    smooth = [
        (output, gradient) for output, gradient in zip(outputs, at, strict=True) if output.requires_grad
    ]
    wanted = [tensor for tensor in of if tensor.requires_grad]
    if not smooth or not wanted:
        return [None] * len(of)
    ends, gradients = zip(*smooth, strict=True)
    found = iter(torch.autograd.grad(ends, wanted, gradients, create_graph=create_graph, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in of]


def settled(cell: Cell, z: Tensor, state: State, start: Start = Start.PROJECTED) -> list[torch.dtype]:
    """The types that a state keeps from step to step; under autocast they need not be its first ones.

    Args:
        cell: The cell.
        z: Of the kind that will come.
        state: Tensors ``(N, size)``; of nodes ``(N, K, size)``.
        start: What ``z`` is.

    Raises:
        UntraceableError: it keeps none.
    """
    dtypes = [tensor.dtype for tensor in state]
    for _ in range(3):
        with torch.no_grad():
            given, before = _zeros(z, ROWS[0]), _before(state, ROWS[0], dtypes)
            copies = copies_of(cell)
            _, after = called_with(cell, copies, partial(start.stepped, given=given, state=before))
        found = [tensor.dtype for tensor in after]
        if not all(dtype.is_floating_point for dtype in found):
            raise UntraceableError("has a state of whole numbers")
        if found == dtypes:
            return dtypes
        dtypes = found
    raise UntraceableError("changes the types of its state each time")


def traced(
    cell: Cell, z: Tensor, state: State, dtypes: Sequence[torch.dtype], start: Start = Start.PROJECTED
) -> fx.Graph:
    """The operations of a step and of its gradients.

    The step is recorded with two numbers of rows, and other values: what differs is the number of rows.
    Gradients are wanted where they are recorded, at the tensors that require one, and then at the whole
    state.

    Args:
        cell: The cell.
        z: Of the kind that will come, ``(N, P)``.
        state: Tensors ``(N, size)``; of nodes ``(N, K, size)``.
        dtypes: Of the state, see :func:`settled`.
        start: What ``z`` is.

    Returns:
        A graph of ``z``, the state, the cell's tensors
        (:func:`~rnnx.core.unrolling.substitution.named_tensors`) and the gradients at ``y`` and the new
        state. It gives ``y``, the new state, and the gradients at ``z``, the state and the cell's tensors,
        None where none is wanted. The number of rows is the size of ``z``.
        The ``meta`` of a node says ``by_rows``, whether its value has one row for each of the batch; the
        ``shape``, of a row then; and the ``dtype``.

    Raises:
        UntraceableError: the step decides by the value of a number, computes with the number of rows, writes
            over a tensor, draws random numbers of Python's or NumPy's, changes its own attributes, or reads a
            tensor that is no parameter, buffer, input or state.
    """
    zeros, large = _zeros(z, ROWS[0]), LARGE * torch.randn(ROWS[1], z.shape[1]).to(z)
    wanted = requirements(z, state, named_tensors(cell).values())
    few, more = (
        _recorded(cell, rows, _before(state, len(rows), dtypes), wanted, start) for rows in (zeros, large)
    )
    graph = _merged(few, more)
    (results,) = graph.output_node().args
    if not all(node.meta.get("by_rows") for node in results[: 1 + len(state)]):  # type: ignore[index, union-attr]
        raise UntraceableError("computes with the number of rows")
    return graph


def requirements(z: Tensor, state: State, tensors: Iterable[Tensor]) -> list[bool]:
    """At which of ``z``, the state (at all or none) and the cell's tensors gradients are wanted."""
    wanted = [torch.is_grad_enabled() and tensor.requires_grad for tensor in (z, *tensors)]
    learns = any(wanted) or (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in state))
    return [wanted[0], *[learns] * len(state), *wanted[1:]]


def _zeros(tensor: Tensor, rows: int) -> Tensor:
    return tensor.new_zeros(rows, *tensor.shape[1:])


def _before(state: State, rows: int, dtypes: Sequence[torch.dtype]) -> State:
    return tuple(_zeros(tensor, rows).to(dtype) for tensor, dtype in zip(state, dtypes, strict=True))


def _recorded(cell: Cell, z: Tensor, state: State, wanted: Sequence[bool], start: Start) -> fx.Graph:
    """The graph of one step, with the gradients wanted at ``z``, the state and the cell's tensors."""
    named = named_tensors(cell)
    own = [
        tensor.detach().clone().requires_grad_(want)
        for tensor, want in zip((z, *state, *named.values()), wanted, strict=True)
    ]
    z, state, values = own[0], tuple(own[1 : 1 + len(state)]), own[1 + len(state) :]
    numbers = range(len(state))
    recorder = _Recorder()
    recorder.give(["z", *(f"state_{n}" for n in numbers), *(f"cell_{name}" for name in named)], own)

    def stepped(cell: Cell) -> tuple[Tensor, State]:
        before, drawn = contents(cell), _drawn()
        with recorder, _Values(recorder, (z, *state)):
            found = start.stepped(cell, z, state)
        if not _same(before, contents(cell)):
            raise UntraceableError("changes its own attributes")
        if _drawn() != drawn:
            raise UntraceableError("draws random numbers of Python's or NumPy's")
        return found

    y, after = called_with(cell, dict(zip(named, values, strict=True)), stepped)
    at = [torch.zeros_like(tensor).detach() for tensor in (y, *after)]
    recorder.give(["at_y", *(f"at_state_{n}" for n in numbers)], at)
    with recorder:
        gradients = gradients_of((y, *after), own, at)
    return recorder.finish([y, *after, *gradients])


def _drawn() -> tuple[Any, ...]:
    """Where Python's and NumPy's random numbers stand."""
    _, numbers, place, *_ = np.random.get_state(legacy=True)
    return random.getstate(), np.asarray(numbers).tobytes(), place


def _same(before: Sequence[tuple[str, object]], after: Sequence[tuple[str, object]]) -> bool:
    """Whether both are the same objects by the same names."""
    return len(before) == len(after) and all(
        name == other and value is now for (name, value), (other, now) in zip(before, after, strict=True)
    )


@final
class _Recorder(TorchDispatchMode):
    """Writes down the operations that are carried out, in a graph."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = fx.Graph()
        self.nodes: dict[int, fx.Node] = {}
        # by storage, and so that no other tensor gets the number of one of these
        self.alive: defaultdict[int, list[Tensor]] = defaultdict(list)
        self.lost: dict[int, Any] = {}  # by which operation that wrote over some of its numbers

    def give(self, names: Sequence[str], tensors: Sequence[Tensor]) -> None:
        """Adds tensors that the graph starts from, by their names."""
        for name, tensor in zip(names, tensors, strict=True):
            self._bind(tensor, self.graph.placeholder(name.replace(".", "_")))

    def finish(self, results: Sequence[Tensor | None]) -> fx.Graph:
        """The graph that gives some tensors."""
        self.graph.output([None if result is None else self._read(result) for result in results])
        return self.graph

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags) and not (
            func is ATEN.index.Tensor and all(by.dtype == torch.long for by in args[1] if by is not None)
        ):
            raise UntraceableError(f"decides by the values of a tensor ({func})")
        kwargs = kwargs or {}
        func = PLAINER.get(func, func)
        pure = without_writing(func)
        if pure is not None:
            made = pure(*args, **kwargs)
            same = isinstance(made, Tensor) and (made.shape, made.dtype) == (args[0].shape, args[0].dtype)
            if same:
                return self._write_over(pure, func, args, kwargs)
        if func is ATEN.bmm.default:
            with self:
                plain = _product_of_rows(*args)
            if plain is not None:
                return plain
        result = func(*args, **kwargs)
        shown = self._shown(result) if func.is_view or func is ATEN._unsafe_view.default else None
        if func in (ATEN.detach.default, ATEN.alias.default):
            self._bind(result, self._read(args[0]))
        elif shown is not None:
            self._bind(result, shown)
        elif func is ATEN.lift_fresh.default and id(args[0]) not in self.nodes:
            made = (args[0].tolist(),), {"dtype": result.dtype, "device": result.device}
            self._bind(result, self.graph.call_function(torch.tensor, *made))
        elif isinstance(result, (Tensor, list, tuple)):
            read = fx.node.map_aggregate((args, kwargs), self._read)
            self._bind(result, self.graph.call_function(func, *read))
        elif func._schema.is_mutable:
            raise UntraceableError(f"writes over a tensor ({func})")
        return result

    def _shown(self, view: Any) -> fx.Node | None:
        """What shows the same numbers as a view in the same form, or the transpose of what does."""
        if not isinstance(view, Tensor) or view.numel() == 0:
            return None
        there = self.alive[_storage(view)]
        known = {_form(tensor): tensor for tensor in reversed(there) if id(tensor) in self.nodes}
        same = known.get(_form(view))
        if same is not None:
            return self.nodes[id(same)]
        turned = known.get(_form(view.t())) if view.dim() == 2 else None
        return None if turned is None else self.graph.call_function(ATEN.t.default, (self._read(turned),))

    def _write_over(self, pure: Any, func: Any, args: Any, kwargs: Any) -> Any:
        """Writes down an operation that writes over the first of what it is given as one that does not.

        What shows the same numbers in the same form is what that makes, and what they were a slice or a
        column of, or that was of something else, has them in it; all else that shows any of them can no
        longer be read.
        """
        (target, *_), read = args, fx.node.map_aggregate((args, kwargs), self._read)
        if func is ATEN.copy_.default and read[0][0] is read[0][1]:  # as of what was added to a column
            return target
        shown, made = read[0][0], self.graph.call_function(pure, *read)
        written = {shown: made}
        while shown.target in SCATTERS:
            whole, *where = shown.args
            made = self.graph.call_function(SCATTERS[shown.target], (whole, made, *where))
            shown = whole
            written[shown] = made
        func(*args, **kwargs)
        for tensor in [other for other in self.alive[_storage(target)] if _overlap(target, other)]:
            node = self.nodes.get(id(tensor))
            if node is not None and node.op == "placeholder":
                raise UntraceableError(f"writes over a tensor ({func})")
            if node in written:
                self._bind(tensor, written[node])
            elif self.nodes.pop(id(tensor), None) is not None:
                self.lost[id(tensor)] = func
        return target

    def _read(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) in self.lost:
            raise UntraceableError(f"writes over a tensor ({self.lost[id(value)]})")
        if id(value) not in self.nodes:
            raise UntraceableError("reads a tensor that is no parameter, buffer, input or state")
        return self.nodes[id(value)]

    def _bind(self, value: Any, node: fx.Node) -> None:
        if isinstance(value, Tensor):
            if id(value) not in self.nodes:
                self.alive[_storage(value)].append(value)
            self.nodes[id(value)] = node
            node.meta |= {"shape": tuple(value.shape), "dtype": value.dtype}
        elif isinstance(value, (list, tuple)):
            for place, item in enumerate(value):
                self._bind(item, self.graph.call_function(getitem, (node, place)))


def _product_of_rows(one: Tensor, other: Tensor) -> Tensor | None:
    """A product of several pairs of matrices as one of rows with a matrix, where it is that.

    There is one pair, or each row has one matrix, the same for all, and a vector; as ``einsum`` has it, and
    ``matmul`` of a matrix and columns.
    """
    if len(one) == 1:
        return torch.mm(one.squeeze(0), other.squeeze(0)).unsqueeze(0)
    if one.shape[1] == 1 and other.stride(0) == 0:
        return torch.mm(one.squeeze(1), other[0]).unsqueeze(1)
    if other.shape[2] == 1 and one.stride(0) == 0:
        return torch.mm(other.squeeze(2), one[0].t()).unsqueeze(2)
    return None


def _form(tensor: Tensor) -> tuple[Any, ...]:
    """How a tensor shows the numbers of its storage."""
    strides = [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]
    signs = tensor.is_neg(), tensor.is_conj()  # as of the imaginary parts of what is conjugated
    return tensor.storage_offset(), tensor.dtype, signs, tuple(tensor.shape), tuple(strides)


def _storage(tensor: Tensor) -> int:
    """Where the numbers of a tensor are."""
    return tensor.untyped_storage().data_ptr()


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of one storage show any of the same numbers."""
    places = [
        torch.arange(tensor.untyped_storage().nbytes() // tensor.itemsize)
        .as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        .flatten()
        for tensor in (one, other)
    ]
    return one.dtype != other.dtype or bool(torch.isin(*places).any())


@final
class _Values(TorchFunctionMode):
    """Refuses what takes the values of a tensor out of torch, where no recorder sees what becomes of them.

    Those of a parameter or buffer may be taken.

    Args:
        recorder: What knows where tensors come from.
        rows: What the step is given.
    """

    def __init__(self, recorder: _Recorder, rows: Sequence[Tensor]) -> None:
        super().__init__()
        self.recorder, self.rows = recorder, {recorder.nodes[id(tensor)] for tensor in rows}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in TAKEN and self._is_of_rows(args[0]):
            raise UntraceableError(f"decides by the values of a tensor ({func.__name__})")
        return (_one_hot if func is F.one_hot else func)(*args, **(kwargs or {}))

    def _is_of_rows(self, tensor: Tensor) -> bool:
        waiting, seen = [self.recorder.nodes.get(id(tensor))], set[fx.Node]()
        while waiting:
            node = waiting.pop()
            if node in self.rows:
                return True
            if node is not None and node not in seen:
                seen.add(node)
                waiting += node.all_input_nodes
        return False


def _one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """``F.one_hot`` without its look at the values, if it is told how many there are.

    One that is out of range is refused all the same.
    """
    if num_classes <= 0:
        return F.one_hot(tensor, num_classes)
    return tensor.new_zeros(*tensor.shape, num_classes).scatter(-1, tensor.unsqueeze(-1), 1)


def _merged(few: fx.Graph, more: fx.Graph) -> fx.Graph:
    """One graph for any number of rows, of two that were recorded with :data:`ROWS`."""
    graph = fx.Graph()
    known: dict[fx.Node, fx.Node] = {}
    pairs = list(zip(few.nodes, more.nodes, strict=False))
    if len(few.nodes) != len(more.nodes) or any(
        a.target != b.target for a, b in pairs if a.op != "placeholder"
    ):
        raise UntraceableError("does something else for each number of rows")

    def merge(one: Any, other: Any) -> Any:
        if isinstance(one, fx.Node):
            return known[one]
        if isinstance(one, (list, tuple)):
            return type(one)(merge(a, b) for a, b in zip(one, other, strict=True))
        if type(one) is type(other) and (one == other or (one != one and other != other)):  # as NaN
            return one
        if isinstance(one, int) and one % ROWS[0] == 0 and one // ROWS[0] * ROWS[1] == other:
            return rows if one == ROWS[0] else graph.call_function(mul, (rows, one // ROWS[0]))
        raise UntraceableError("computes with the number of rows")

    for a in few.nodes:
        if a.op == "placeholder":
            known[a] = graph.placeholder(a.name)
    rows = graph.call_function(ATEN.sym_size.int, (next(iter(known.values())), 0))
    for a, b in pairs:
        if a.op == "call_function":
            kwargs = {name: merge(value, b.kwargs[name]) for name, value in a.kwargs.items()}
            known[a] = graph.call_function(a.target, merge(a.args, b.args), kwargs)
        if a.op == "output":
            graph.output(merge(a.args, b.args)[0])
        elif "shape" in a.meta:
            (first, *rest), (second, *other) = a.meta["shape"] or (0,), b.meta["shape"] or (0,)
            of_rows = (first, second) == ROWS and rest == other
            shape = tuple(rest) if of_rows else a.meta["shape"]
            known[a].meta = {"by_rows": of_rows, "shape": shape, "dtype": a.meta["dtype"]}
    _check(graph.nodes)
    return by_rows(decided(graph))


def _check(nodes: Iterable[fx.Node]) -> None:
    """Refuses an operation that writes over what another one reads, and draws that nobody reads."""
    for node in nodes:
        for target in overwritten(node):
            while is_view(target) and len(target.users) == 1:
                target = target.all_input_nodes[0]
            if len(target.users) > 1 or target.op == "placeholder":
                raise UntraceableError(f"writes over a tensor ({node.target})")
        if draws(node) and not node.users:
            raise UntraceableError("draws random numbers for nothing")
