"""The contract of a recurrent cell: the paper's equations and no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NoReturn, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core import state as states
from rnnx.core.operator import Operator
from rnnx.core.state import State


class Cell(nn.Module, ABC):
    """One step of a recurrent network.

    A cell is written once and then read by the engine in every way there is: over padded sequences,
    backwards, along a tree, token by token in a decoder. So it holds no masks, no reversal, no dropout
    between steps and no stacking, and all it remembers between steps is the state that goes in and comes out.

    What a cell declares, in its constructor:
        * ``input_size``: the width of the input, the constructor's only positional parameter;
        * ``output_size``: the width of the output ``y``, which need not be a part of the state;
        * ``state_sizes``: the width of each tensor of the state;
        * ``bookkeeping``, where there is any: the positions in the state of tensors that are no memory but
          an account of what was read, as a clock or a window of inputs; in a decoder they begin anew.

    Its keyword-only parameters, each with a type, a default and a line under ``Args:``, are what the user
    sets as ``cell.hidden_size=512``. A cell becomes ``cell=NAME`` on the command line by one entry point of
    its distribution::

        [project.entry-points."rnnx.cells"]
        mgu = "my_package.mgu:MGU"

    What a cell computes:
        * :meth:`step` (required): one time step;
        * :meth:`project`: the part that needs no past, done for all steps in one product;
        * :meth:`unroll`: a faster way to the same result, such as a fused kernel;
        * :meth:`fold`: a tree's node from its children;
        * :meth:`initial_state`: what comes before the first step.

    A cell that adds new content to its memory passes it through :meth:`drop_candidate` on its way.

    A step sees each row of the batch by itself: row ``n`` of the result depends on row ``n`` of the arguments
    and on the parameters only. If it also decides by the value of no tensor and writes over none, the engine
    takes it apart, and it learns about as fast as torch's own kernels would; else it is made step by step.
    What :meth:`project` does is taken apart with it, where it is of the same kind.
    The cell's attributes and its methods may change at any time, and so may numbers of its class and of its
    module; what lies in a list or a dictionary outside the cell is read once.

    Example:
        The minimal gated unit (Zhou et al. 2016), complete:

        >>> class MGU(Cell):
        ...     '''Minimal gated unit.
        ...
        ...     Args:
        ...         hidden_size: Width of the state.
        ...     '''
        ...     def __init__(self, input_size: int, *, hidden_size: int = 128) -> None:
        ...         super().__init__()
        ...         self.input_size, self.output_size = input_size, hidden_size
        ...         self.state_sizes = (hidden_size,)
        ...         self.input = nn.Linear(input_size, 2 * hidden_size)
        ...         self.forget = nn.Linear(hidden_size, hidden_size, bias=False)
        ...         self.candidate = nn.Linear(hidden_size, hidden_size, bias=False)
        ...
        ...     def project(self, x):
        ...         return self.input(x)
        ...
        ...     def step(self, z, state):
        ...         (h,) = state
        ...         z_f, z_n = z.chunk(2, -1)
        ...         f = torch.sigmoid(z_f + self.forget(h))
        ...         h = (1 - f) * h + f * torch.tanh(z_n + self.candidate(f * h))
        ...         return h, (h,)
        >>> cell = MGU(3, hidden_size=5)
        >>> y, state = cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))
        >>> y.shape
        torch.Size([2, 5])
    """

    input_size: int
    output_size: int
    state_sizes: tuple[int, ...]
    bookkeeping: tuple[int, ...] = ()
    _recurrent_dropout: float = 0.0

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuses a module by the name of one of these methods, which would hide it without a word."""
        if isinstance(value, nn.Module) and name in vars(Cell):
            raise TypeError(
                f"{type(self).__name__}.{name}: a module by the name of the method Cell.{name} would never "
                "be called; give it another name"
            )
        super().__setattr__(name, value)

    def extra_repr(self) -> str:
        """The widths of what it reads and gives, as torch's own cells show them."""
        return f"{self.input_size}, {self.output_size}"

    def forward(self, *_: Any) -> NoReturn:
        """Refuses to be called: a cell is a step.

        Raises:
            TypeError: at all events.
        """
        name = type(self).__name__
        raise TypeError(
            f"{name}: expected a way to read, as rnnx.core.engine.scan(cell, x, lengths), or cell.step for "
            "one step, got a call of the cell itself"
        )

    def project(self, x: Tensor) -> Tensor:
        """What a step takes from its input alone, for any number of steps at once.

        Args:
            x: ``(..., input_size)``.

        Returns:
            ``z``, ``(..., P)`` with any ``P``; by default ``x`` itself.
        """
        return x

    @abstractmethod
    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        """One time step.

        An output that is a tensor of the new state is given as that same object, not as a copy: so it is
        known to be the memory, and ``net.zoneout`` acts on it too. Equal numbers would not tell, as two
        tensors may be equal by chance; that no copy is given is among what ``rnnx check`` looks at.

        Args:
            z: The projected input, ``(N, P)``.
            state: The state before the step, tensors ``(N, size)``.

        Returns:
            The output ``y``, ``(N, output_size)``, and the state after the step.
        """

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        """A faster way to the same result as the loop of steps, where there is one.

        It is not called of a class that inherits it and changes the equations.

        Args:
            x: ``(N, T, input_size)``.
            lengths: ``(N,)``, each at least 1; None where all are ``T``.
            state: The state before the first step.

        Returns:
            ``y``, ``(N, T, output_size)``, zero past each row's length, and the state after each row's last
            step; or None where the loop is to be used, which is the default.
        """
        return None

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        """One level of a tree: nodes from their children.

        By default a step from the sum of the children's states.

        Args:
            z: The nodes' projected inputs, ``(N, P)``.
            children: Tensors ``(N, K, size)``; ``K`` is 0 where the nodes are leaves.
            mask: ``(N, K)``, true where there is a child.

        Returns:
            The output ``y``, ``(N, output_size)``, and the nodes' state.
        """
        return self.step(z, tuple(child.sum(1) for child in states.present(children, mask)))

    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state before the first step: zeros.

        Args:
            batch: ``N``.
            like: A tensor whose dtype and device the state takes.

        Returns:
            Tensors ``(N, size)``.
        """
        return states.zeros(batch, self.state_sizes, like)

    def operator(self) -> Operator | None:
        """The operator of ONNX that computes the same in evaluation, from a state of zeros.

        Returns:
            The operator with the cell's weights; None where there is none, which is the default.
        """
        return None

    @property
    def recurrent_dropout(self) -> float:
        """The rate of :meth:`drop_candidate`; once set, that of the cells inside this one too."""
        return self._recurrent_dropout

    @recurrent_dropout.setter
    def recurrent_dropout(self, rate: float) -> None:
        for module in self.modules():
            if isinstance(module, Cell):
                module._recurrent_dropout = rate

    @final
    def drop_candidate(self, g: Tensor) -> Tensor:
        """New content on its way into the memory, after its nonlinearity and before its gate.

        Here acts the recurrent dropout without memory loss of Semeniuta, Severyn & Barth 2016: ``c_t = f_t
        c_{t-1} + i_t d(g_t)``, drawn anew at each step, at the rate :attr:`recurrent_dropout` that the net
        sets (``net.recurrent_dropout``).

        Args:
            g: The candidate, of any shape.

        Returns:
            The same shape.
        """
        return F.dropout(g, self.recurrent_dropout, self.training)


def is_unrolled_by_its_class(cell: Cell) -> bool:
    """Whether a cell's ``unroll`` is of the class that its equations are of, so that it stands for them.

    Not where the cell itself, or a class that inherits it, has a ``step``, a ``project`` or a ``fold`` of its
    own.
    """
    layers = [vars(cell), *map(vars, type(cell).__mro__)]

    def first(name: str) -> int:
        return next((place for place, layer in enumerate(layers) if name in layer), len(layers))

    return first("unroll") <= min(map(first, ("step", "project", "fold")))


class TreeCell(Cell):
    """A cell whose equations are those of a tree's node; on a sequence each step is a node with one child.

    :meth:`fold` is what such a cell writes.
    """

    @abstractmethod
    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        """One level of a tree, as :meth:`Cell.fold`."""

    @final
    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        """A node whose only child is the step before."""
        mask = torch.ones(z.shape[0], 1, dtype=torch.bool, device=z.device)
        return self.fold(z, tuple(tensor.unsqueeze(1) for tensor in state), mask)
