"""How time and memory grow: of a training step with steps, rows and width, of beam search with what it holds.

``python -m benchmarks.growth`` doubles one size four times while the others stay, and prints the slope of the
straight line through the logarithms (least squares): 1 is linear, 0 does not grow. The points of a line are
timed in turn, by the median over the rounds.

Memory is counted, not sampled: the peak is that of all that torch allocates while the step runs, as its
profiler sees every allocation and release on a CPU, and what backward keeps is the storages that autograd
saves at the end of the forward pass, each once, without the parameters and the input, which are there anyway.
What runs by a kernel of torch's own is in both, its workspace too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Annotated, Final, TypeAlias, final

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile

from rnnx.core.benchmark import interleaved
from rnnx.core.cell import Cell
from rnnx.core.layers import Layer
from rnnx.core.spec import Spec
from rnnx.core.state import State
from rnnx.tasks.parts.generation.search import beam_search

Sizes: TypeAlias = Mapping[str, tuple[int, int]]

FACTORS: Final = (1, 2, 4, 8, 16)
TRAINING: Final[Sizes] = {  # of each size the value where it stays, and the smallest where it grows
    "steps": (32, 16),
    "rows": (32, 16),
    "width": (256, 32),
}
SEARCH: Final[Sizes] = {"words": (4000, 1000), "beam": (4, 1), "length": (20, 10)}
COLUMNS: Final = ("what", "grows", "from", "to", "time", "ms", "peak", "MB", "kept", "MB")


@final
class MGU(Cell):
    """The minimal gated unit (Zhou et al. 2016), as a stranger writes it: no faster way than its step.

    Args:
        hidden_size: Width of the state.
    """

    def __init__(self, input_size: int, *, hidden_size: int = 128) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.state_sizes = (hidden_size,)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.forget = nn.Linear(hidden_size, hidden_size, bias=False)
        self.candidate = nn.Linear(hidden_size, hidden_size, bias=False)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        z_f, z_n = z.chunk(2, -1)
        f = torch.sigmoid(z_f + self.forget(h))
        h = (1 - f) * h + f * torch.tanh(z_n + self.candidate(f * h))
        return h, (h,)


@final
class Training:
    """A training step: a layer forward, and the sum of its outputs backward.

    Args:
        cell: ``mgu``, or the name of a cell that is installed.
        steps: ``T``.
        rows: ``N``.
        width: Of input and state.
    """

    def __init__(self, cell: str, steps: int, rows: int, width: int) -> None:
        made = (
            MGU(width, hidden_size=width)
            if cell == "mgu"
            else Spec.from_plain("cell", {"name": cell, "hidden_size": width}).build(width)
        )
        self.layer = Layer(made)
        self.x = torch.randn(rows, steps, width, requires_grad=True)

    def __call__(self) -> None:
        """Makes the step; no gradient is there before it, nor after."""
        self.layer(self.x)[0].sum().backward()
        self.layer.zero_grad()
        self.x.grad = None

    def kept(self) -> int:
        """Bytes that the forward pass leaves for the backward pass, once the step has been made before."""
        there = {tensor.untyped_storage().data_ptr() for tensor in (self.x, *self.layer.parameters())}
        return saved(lambda: self.layer(self.x)[0].sum(), there)


@final
class Search:
    """Beam search with one layer of GRU, of random weights: 8 sentences, each as long as can be.

    Args:
        words: Size of the vocabulary.
        beam: Hypotheses a sentence.
        length: Words of each.
        width: Of embeddings and state.
    """

    def __init__(self, words: int, beam: int, length: int, width: int = 128) -> None:
        self.beam, self.length = beam, length
        self.embedding, self.output = nn.Embedding(words, width), nn.Linear(width, words)
        self.layer = Layer(Spec.from_plain("cell", {"name": "gru", "hidden_size": width}).build(width))

    def __call__(self) -> None:
        """Searches."""
        start = torch.zeros(8, dtype=torch.long)
        state = self.layer.initial_state(len(start), self.embedding.weight)
        beam_search(self._step, state, start, end=None, max_length=self.length, beam_size=self.beam)

    def _step(self, tokens: Tensor, state: State, rows: Tensor) -> tuple[Tensor, None, State]:
        y, state = self.layer.step(self.embedding(tokens), state)
        return self.output(y).log_softmax(-1), None, state


@final
@dataclass(frozen=True)
class Line:
    """What grows with one size.

    Args:
        what: What is done.
        grows: Which size.
        sizes: Its values.
        seconds: At each of them.
        peaks: Bytes allocated at once, at each.
        kept: Bytes kept for backward, at each; none where there is no backward.
    """

    what: str
    grows: str
    sizes: Sequence[int]
    seconds: Sequence[float]
    peaks: Sequence[int]
    kept: Sequence[int]

    @property
    def row(self) -> str:
        """In Markdown: slopes, and the values at the smallest and the largest size."""
        cells = [self.what, self.grows, f"{self.sizes[0]:,}", f"{self.sizes[-1]:,}"]
        measured: tuple[tuple[Sequence[float], float], ...]
        measured = (self.seconds, 1e-3), (self.peaks, 1e6), (self.kept, 1e6)
        for values, unit in measured:
            ends = f"{values[0] / unit:.2f} to {values[-1] / unit:.2f}" if values else ""
            cells += [f"{slope(self.sizes, values):z.2f}" if values else "", ends]
        return f"| {' | '.join(cells)} |"


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """That of the line through the logarithms which is nearest to them, by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def peak(call: Callable[[], object]) -> int:
    """Bytes that torch has allocated at once on the CPU, at most, of what was not there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return int(np.cumsum([0, *changes]).max())


def saved(call: Callable[[], object], there: set[int]) -> int:
    """Bytes of the storages that autograd saves in a call, each once, without those at these addresses."""
    sizes: dict[int, int] = {}
    tensors = []  # kept alive, so that no address is given twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        tensors.append(tensor.detach())
        return tensors[-1]

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        call()
    return sum(size for address, size in sizes.items() if address not in there)


def grown(what: str, make: Callable[..., Training | Search], sizes: Sizes, grows: str, rounds: int) -> Line:
    """Times and counts what is made with sizes of which one grows.

    Args:
        what: What it is called.
        make: Makes it of the sizes.
        sizes: See :data:`TRAINING`.
        grows: Which one grows.
        rounds: How often each is timed.
    """
    stay = {name: size for name, (size, _) in sizes.items()}
    _, first = sizes[grows]
    made = {first * factor: make(**stay | {grows: first * factor}) for factor in FACTORS}
    times = interleaved({str(size): one for size, one in made.items()}, rounds)
    return Line(
        what,
        grows,
        list(made),
        [median(seconds) for seconds in times.values()],
        [peak(one) for one in made.values()],
        [one.kept() for one in made.values() if isinstance(one, Training)],
    )


def main(
    cells: Annotated[str, typer.Option(help="With commas between; mgu is a stranger's.")] = "gru,lstm,mgu",
    rounds: Annotated[int, typer.Option(min=1, help="How often each point is timed.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="How many compute.")] = 1,
) -> None:
    """Prints how time and memory grow, a line a size."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "10")  # else the profiler says when it begins and ends
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    typer.echo(f"torch {torch.__version__}, threads: {threads}, rounds: {rounds}\n")
    typer.echo(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    for cell in cells.split(","):
        for grows in TRAINING:
            typer.echo(grown(f"{cell}, training", partial(Training, cell), TRAINING, grows, rounds).row)
    for grows in SEARCH:
        typer.echo(grown("beam search", Search, SEARCH, grows, rounds).row)


if __name__ == "__main__":
    typer.run(main)
