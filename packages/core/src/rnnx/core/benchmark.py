"""How fast a cell is next to torch's own, the two timed in turn in one process.

Of a cell by name, as ``rnnx bench lstm`` does it::

    plan = Plan(settings=(SETTINGS["a"],), threads=(1,), modes=("training",))
    for timing in measure(Spec.from_plain("cell", {"name": "lstm"}), plan):
        print(timing.mode, timing.lengths, timing.ratio)
"""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import product
from math import inf
from statistics import median
from time import perf_counter
from typing import Any, Final, final

import numpy as np
import torch
from torch import Tensor, nn

from rnnx.core.errors import RnnxError, RunError, UsageError
from rnnx.core.layers import Layer
from rnnx.core.nets import products
from rnnx.core.registry import find
from rnnx.core.running.accelerator import accelerator
from rnnx.core.spec import Spec
from rnnx.core.twins import Twin, flops
from rnnx.core.unrolling.kernels.c.compiler import compiler

WORK: Final = {"training": 3, "inference": 1}  # forward passes that each is worth
MODES: Final = tuple(WORK)
DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}
LENGTHS: Final = ("equal", "variable")
SHORTEST: Final = 0.26  # of the longest: with lengths spread evenly between the two, 63% of a batch is real
FEWEST: Final = 3  # rounds, whatever they take: fewer have no middle


def interleaved(
    calls: Mapping[str, Callable[[], object]], rounds: int, seconds: float = inf
) -> dict[str, list[float]]:
    """Times several things in turn, so that whatever slows the machine down slows all of them.

    Each is called once to warm up, then once a round; each round begins with another one. Compare two of them
    by the median over the rounds of their ratio in a round. Work on an accelerator is waited for. Python
    collects what a call leaves before the next one is timed, so that none pays for another's.

    Args:
        calls: What to time, by name.
        rounds: How many times.
        seconds: No round begins when so many are over, but the first three.

    Returns:
        By name the seconds of its call in each round.

    Example:
        >>> said = []
        >>> times = interleaved({"a": lambda: said.append("a"), "b": lambda: said.append("b")}, rounds=3)
        >>> "".join(said), [len(rounds) for rounds in times.values()]
        ('ababbaab', [3, 3])
    """
    end = perf_counter() + seconds
    for call in calls.values():
        _seconds(call)
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    gc.freeze()  # what was there before is not gone through each time
    try:
        for number in range(rounds):
            if number >= FEWEST and perf_counter() > end:
                break
            for name in order:
                gc.collect()
                times[name].append(_seconds(calls[name]))
            order.append(order.pop(0))
    finally:
        gc.unfreeze()
    return times


@final
@dataclass(frozen=True)
class Setting:
    """How much a layer reads at once.

    Args:
        name: What it is called.
        steps: ``T``.
        batch: ``N``.
        hidden: Width of the input and of the state.
    """

    name: str
    steps: int
    batch: int
    hidden: int

    @property
    def numbers(self) -> int:
        """How many numbers are read."""
        return self.steps * self.batch * self.hidden


SETTINGS: Final = {
    setting.name: setting
    for setting in (Setting("a", 35, 20, 200), Setting("b", 100, 64, 256), Setting("c", 64, 32, 512))
}


@final
@dataclass(frozen=True)
class Plan:
    """What is measured of a cell, and how long.

    Args:
        settings: How much it reads.
        threads: How many threads compute, one number after the other; by default those that torch has now.
        lengths: ``equal``: all rows are as long as the longest; ``variable``: 63% of the batch is real.
        modes: ``training``: forward, and backward of the sum of the outputs to the weights and the input;
            ``inference``: forward, without gradients.
        rounds: How many at most.
        seconds: About how many it may take, all together; more of them are for what has more to do.
        dtype: Of weights and input.
        device: Where they are.
    """

    settings: tuple[Setting, ...] = tuple(SETTINGS.values())
    threads: tuple[int, ...] = field(default_factory=lambda: (torch.get_num_threads(),))
    lengths: tuple[str, ...] = LENGTHS
    modes: tuple[str, ...] = MODES
    rounds: int = 20
    seconds: float = inf
    dtype: torch.dtype = torch.float32
    device: torch.device = field(default_factory=partial(torch.device, "cpu"))

    def __len__(self) -> int:
        """How many timings that makes."""
        return len(self.settings) * len(self.threads) * len(self.lengths) * len(self.modes)

    @property
    def place(self) -> dict[str, str]:
        """Where it is measured: machine, what makes C and large products, device, version of torch, dtype."""
        cores = f"{torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores"
        cores += ", a C compiler" if compiler() else ", no C compiler"
        cores += ", large products by oneDNN" if products.PAYS else ""
        gpu = [torch.cuda.get_device_name(self.device)] if self.device.type == "cuda" else []
        return {
            "machine": ", ".join([f"{platform.system()} {platform.machine()}", cores, *gpu]),
            "device": str(self.device),
            "torch": torch.__version__,
            "dtype": str(self.dtype).removeprefix("torch."),
        }


@final
@dataclass(frozen=True)
class Timing:
    """How long a layer of a cell takes, and torch's module.

    Attributes:
        cell: Name of the cell.
        twin: Name of the module.
        setting: How much they read.
        threads: How many computed.
        lengths: See :class:`Plan`.
        mode: See :class:`Plan`.
        seconds: Of the cell, in each round.
        twin_seconds: Of the module.
        flops: Operations of the cell's products in a forward pass over full rows.
        twin_flops: Those of the module.

    Example:
        >>> timing = Timing("mgu", "nn.LSTM", SETTINGS["a"], 1, "equal", "training", (3.0, 1.0, 2.0),
        ...                 (2.0, 2.0, 2.0), flops=50, twin_flops=100)
        >>> timing.ratio, timing.quartiles, timing.per_flop
        (1.0, (0.75, 1.25), 2.0)
    """

    cell: str
    twin: str
    setting: Setting
    threads: int
    lengths: str
    mode: str
    seconds: tuple[float, ...]
    twin_seconds: tuple[float, ...]
    flops: int
    twin_flops: int

    @property
    def ratios(self) -> list[float]:
        """Time of the cell over time of the module, in each round."""
        return [ours / theirs for ours, theirs in zip(self.seconds, self.twin_seconds, strict=True)]

    @property
    def ratio(self) -> float:
        """Their median."""
        return median(self.ratios)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between these are the middle half of the ratios."""
        low, high = np.percentile(self.ratios, (25, 75)).tolist()
        return low, high

    @property
    def per_flop(self) -> float | None:
        """The ratio of the times over that of the operations; None of a cell without products."""
        return self.ratio * self.twin_flops / self.flops if self.flops else None

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it, of the seconds the medians."""
        return asdict(self) | {
            "seconds": median(self.seconds),
            "twin_seconds": median(self.twin_seconds),
            "rounds": len(self.seconds),
            "ratio": self.ratio,
            "quartiles": list(self.quartiles),
            "per_flop": self.per_flop,
        }


def measure(cell: Spec, plan: Plan) -> Iterator[Timing]:
    """Times a layer of a cell, run as a net runs it, next to torch's module.

    Args:
        cell: The cell; its option ``hidden_size``, if it has one, is that of the setting.
        plan: What is measured.

    Yields:
        A timing for each setting, number of threads, kind of lengths and mode.

    Raises:
        RunError: the cell raised an exception, which is the cause.
        UsageError: it refuses its options.
    """
    threads, deadline = torch.get_num_threads(), perf_counter() + plan.seconds
    each = len(plan.threads) * len(plan.lengths) * sum(WORK[mode] for mode in plan.modes)
    left = each * sum(setting.numbers for setting in plan.settings)
    try:
        for setting in plan.settings:
            bench = _Bench.of(cell, setting, plan)
            for count, lengths, mode in product(plan.threads, plan.lengths, plan.modes):
                torch.set_num_threads(count)
                work = setting.numbers * WORK[mode]
                share = (deadline - perf_counter()) * work / left
                left -= work
                with torch.accelerator.device_index(plan.device.index):
                    timing = bench.timing(count, lengths, mode, plan.rounds, share)
                yield timing
    except RnnxError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        plugin = find("cell", cell.name)
        raise RunError(f"{plugin.title} of {plugin.origin} cannot be measured: {what}") from error
    finally:
        torch.set_num_threads(threads)


def device(name: str | None) -> torch.device:
    """Where to measure.

    Args:
        name: As torch knows it, such as ``cuda:1``; None for CUDA's, or the CPU if there is none.

    Raises:
        UsageError: this machine has no such device.
    """
    if name is None:
        return torch.device(accelerator("auto"))
    try:
        tensor = torch.zeros(1, device=name)
        tensor.cpu()
    except Exception as error:  # each device has its own
        what = str(error).partition("\n")[0]
        raise UsageError(
            f"--device: expected one of this machine, such as cpu, got {name!r}: {what}"
        ) from None
    return tensor.device


@final
@dataclass(frozen=True)
class _Bench:
    """A layer and its twin, and what they read: ``x`` ``(N, T, H)``, ``lengths`` ``(N,)``."""

    cell: str
    setting: Setting
    layer: Layer
    twin: Twin
    x: Tensor
    lengths: Tensor
    flops: int
    twin_flops: int

    @classmethod
    def of(cls, cell: Spec, setting: Setting, plan: Plan) -> _Bench:
        T, N, H = setting.steps, setting.batch, setting.hidden
        width = {"hidden_size": H} if "hidden_size" in cell.options else {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layer = Layer(replace(cell, options=cell.options | width).build(H))
            twin = Twin(cell.name, H, H)
            x = torch.randn(N, T, H)
            lengths = torch.linspace(T, SHORTEST * T, N).round().clamp(min=1).long()[torch.randperm(N)]
        for module in (layer, twin):
            module.to(plan.device, plan.dtype)
        x = x.to(plan.device, plan.dtype)
        return cls(cell.name, setting, layer, twin, x, lengths, flops(layer.cell, x), twin.flops(x))

    def timing(self, threads: int, lengths: str, mode: str, rounds: int, seconds: float) -> Timing:
        chosen = None if lengths == "equal" else self.lengths
        call = self._train if mode == "training" else self._infer
        calls = {
            "cell": call(self.layer, lambda x: self.layer(x, chosen)[0]),
            "twin": call(self.twin, lambda x: self.twin(x, chosen)),
        }
        times = interleaved(calls, rounds, seconds)
        return Timing(
            self.cell,
            self.twin.name,
            self.setting,
            threads,
            lengths,
            mode,
            tuple(times["cell"]),
            tuple(times["twin"]),
            self.flops,
            self.twin_flops,
        )

    def _train(self, module: nn.Module, read: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        module.train()
        x = self.x.clone().requires_grad_()

        def call() -> None:
            module.zero_grad()
            x.grad = None
            read(x).sum().backward()

        return call

    def _infer(self, module: nn.Module, read: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        module.eval()

        def call() -> None:
            with torch.no_grad():
                read(self.x)

        return call


def _seconds(call: Callable[[], object]) -> float:
    _wait()
    start = perf_counter()
    call()
    _wait()
    return perf_counter() - start


def _wait() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
