from __future__ import annotations

import importlib
import os
import shlex
import shutil
import sys
from collections import Counter
from functools import partial
from math import inf
from pathlib import Path
from time import sleep

import pytest
import torch
from torch import Tensor

from rnnx.core.benchmark import SETTINGS, Plan, Setting, Timing, device, interleaved, measure
from rnnx.core.errors import RunError, UsageError
from rnnx.core.nets import products
from rnnx.core.spec import Spec
from rnnx.core.twins import Twin

SMALL = Setting("small", steps=10, batch=4, hidden=6)
PROBES = '''
import torch
from rnnx.core.cell import Cell
from rnnx.core.errors import UsageError

seen = []


class Probe(Cell):
    """Writes down how it is read."""

    def __init__(self, input_size: int, *, hidden_size: int = 7, scale: float = 0.5) -> None:
        super().__init__()
        if hidden_size > 100:
            raise UsageError("cell.hidden_size: expected at most 100")
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.scale, self.linear = scale, torch.nn.Linear(input_size, hidden_size)

    def unroll(self, x, lengths, state):
        seen.append((x, lengths, self, self.training, torch.is_grad_enabled(), torch.get_num_threads()))
        return None

    def step(self, z, state):
        h = self.scale * state[0] + self.linear(z)
        return h, (h,)


class Wrong(Probe):
    """Cannot be read."""

    def step(self, z, state):
        raise ValueError("sizes\\n do not fit")
'''


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's distribution with two cells."""
    info = tmp_path / "strange-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.5\n")
    entries = "[rnnx.cells]\nprobe = probing_cells:Probe\nwrong = probing_cells:Wrong\n"
    (info / "entry_points.txt").write_text(entries)
    (tmp_path / "probing_cells.py").write_text(PROBES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "probing_cells", raising=False)


def test_each_is_called_equally_often_and_in_turn() -> None:
    said: list[str] = []
    times = interleaved({name: partial(said.append, name) for name in "abc"}, rounds=4)
    assert list(times) == ["a", "b", "c"]
    assert [len(seconds) for seconds in times.values()] == [4, 4, 4]
    rounds = [said[start : start + 3] for start in range(0, len(said), 3)]
    assert len(rounds) == 1 + 4  # the first to warm up
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert Counter(names[0] for names in rounds[1:]) == {"a": 2, "b": 1, "c": 1}


def test_the_seconds_are_those_of_the_call_of_that_name() -> None:
    times = interleaved({"one": partial(sleep, 0.01), "three": partial(sleep, 0.03)}, rounds=2)
    assert min(times["one"]) >= 0.01  # at least: a machine may sleep longer
    assert min(times["three"]) >= 0.03


def test_no_round_begins_when_the_time_is_over_but_the_first_three() -> None:
    said: list[str] = []
    times = interleaved({"a": lambda: said.append("a")}, rounds=5, seconds=0)
    assert (len(times["a"]), said) == (3, ["a"] * 4)
    assert len(interleaved({"a": int}, rounds=2, seconds=0)["a"]) == 2
    assert len(interleaved({"a": int}, rounds=5, seconds=inf)["a"]) == 5


def timing(seconds: tuple[float, ...], twin_seconds: tuple[float, ...], flops: int = 30) -> Timing:
    return Timing(
        "mgu", "nn.LSTM", SMALL, 1, "equal", "training", seconds, twin_seconds, flops, twin_flops=60
    )


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    found = timing((1.0, 4.0, 9.0, 8.0, 5.0), (2.0, 4.0, 3.0, 4.0, 2.5))
    assert found.ratios == [0.5, 1.0, 3.0, 2.0, 2.0]
    assert found.ratio == 2.0  # the medians are 5 and 3
    assert found.quartiles == (1.0, 2.0)
    assert found.per_flop == 4.0  # half the operations


def test_a_cell_without_products_has_no_ratio_per_flop() -> None:
    found = timing((3.0,), (2.0,), flops=0)
    assert (found.ratio, found.quartiles, found.per_flop) == (1.5, (1.5, 1.5), None)


def test_a_timing_in_plain_data() -> None:
    assert timing((1.0, 3.0, 2.0), (4.0, 1.0, 2.0)).to_plain() == {
        "cell": "mgu",
        "twin": "nn.LSTM",
        "setting": {"name": "small", "steps": 10, "batch": 4, "hidden": 6},
        "threads": 1,
        "lengths": "equal",
        "mode": "training",
        "seconds": 2.0,
        "twin_seconds": 2.0,
        "flops": 30,
        "twin_flops": 60,
        "rounds": 3,
        "ratio": 1.0,
        "quartiles": [0.625, 2.0],
        "per_flop": 2.0,
    }


def test_the_settings_of_the_ledger() -> None:
    sizes = {name: (one.steps, one.batch, one.hidden) for name, one in SETTINGS.items()}
    assert sizes == {"a": (35, 20, 200), "b": (100, 64, 256), "c": (64, 32, 512)}


@pytest.mark.parametrize(
    ("name", "options", "twin", "matrices", "of_twin"),
    [
        ("lstm", {}, "nn.LSTM", 8, 8),
        ("gru", {"reset": "before"}, "nn.GRU", 6, 6),
        ("elman", {}, "nn.RNN", 2, 2),
        ("rhn", {"depth": 5}, "nn.LSTM", 12, 8),
    ],
)
def test_a_cell_is_timed_next_to_its_twin(
    name: str, options: dict[str, object], twin: str, matrices: int, of_twin: int
) -> None:
    plan = Plan((SMALL,), rounds=2)
    timings = list(measure(Spec.from_plain("cell", {"name": name, **options}), plan))
    assert len(timings) == len(plan) == 4
    for found in timings:
        assert (found.cell, found.twin, found.setting, found.threads) == (name, twin, SMALL, 1)
        assert len(found.seconds) == len(found.twin_seconds) == 2
        assert min(found.seconds + found.twin_seconds) > 0
        assert found.flops == matrices * 2 * 4 * 10 * 6 * 6
        assert found.twin_flops == of_twin * 2 * 4 * 10 * 6 * 6


def test_a_strangers_cell_is_read_in_each_of_the_ways(strange: None) -> None:
    threads = torch.get_num_threads()
    other = Setting("other", steps=7, batch=3, hidden=5)
    plan = Plan((SMALL, other), threads=(1, 2), rounds=1, dtype=torch.float64)
    timings = list(measure(Spec.from_plain("cell", {"name": "probe", "scale": 0.25}), plan))
    assert torch.get_num_threads() == threads

    ways = [
        (setting, count, lengths, mode)
        for setting in (SMALL, other)
        for count in (1, 2)
        for lengths in ("equal", "variable")
        for mode in ("training", "inference")
    ]
    assert [(one.setting, one.threads, one.lengths, one.mode) for one in timings] == ways
    assert len(plan) == len(ways)
    seen = importlib.import_module("probing_cells").seen
    assert len(seen) == 2 * len(ways)  # one to warm up, one round
    for (x, lengths, _, training, gradients, count), way in zip(seen[::2], ways, strict=True):
        setting, threads, kind, mode = way
        assert x.shape == (setting.batch, setting.steps, setting.hidden)
        assert x.dtype == torch.float64
        assert x.requires_grad == training == gradients == (mode == "training")
        assert count == threads
        assert (lengths is None) == (kind == "equal")


def test_variable_lengths_are_63_percent_of_the_batch_in_no_order(strange: None) -> None:
    plan = Plan((Setting("long", 100, 64, 2),), lengths=("variable",), modes=("inference",), rounds=1)
    for _ in range(2):
        list(measure(Spec.from_plain("cell", {"name": "probe"}), plan))
    first, *others = (lengths.tolist() for _, lengths, *_ in importlib.import_module("probing_cells").seen)
    assert sum(first) / 6400 == pytest.approx(0.63, abs=0.005)
    assert (max(first), len(set(first))) == (100, 64)
    assert first not in (sorted(first), sorted(first, reverse=True))
    assert all(lengths == first for lengths in others)


def test_both_read_the_same_and_give_their_weights_gradients(
    strange: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[Tensor, Tensor | None, Twin, bool]] = []
    forward = Twin.forward

    def seen(twin: Twin, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        read.append((x, lengths, twin, twin.training))
        return forward(twin, x, lengths)

    monkeypatch.setattr(Twin, "forward", seen)
    plan = Plan((SMALL,), rounds=1)
    list(measure(Spec.from_plain("cell", {"name": "probe"}), plan))
    ours = importlib.import_module("probing_cells").seen
    assert len(ours) == len(read) == 2 * len(plan)
    for (x, lengths, cell, training, *_), (x_twin, lengths_twin, twin, training_twin) in zip(
        ours, read, strict=True
    ):
        assert torch.equal(x, x_twin)
        assert lengths is lengths_twin
        assert training == training_twin
        assert (x.grad is not None) == (x_twin.grad is not None) == training
        assert x.grad is None or x.grad is not x_twin.grad
        for module in (cell, twin):
            assert all(parameter.grad is not None for parameter in module.parameters())


def test_a_batch_of_one_step_is_read(strange: None) -> None:
    plan = Plan((Setting("tiny", 1, 1, 1),), rounds=1)
    assert len(list(measure(Spec.from_plain("cell", {"name": "probe"}), plan))) == 4


def test_the_random_numbers_to_come_stay_as_they_are() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    list(measure(Spec.from_plain("cell", {"name": "gru"}), Plan((SMALL,), rounds=1)))
    assert torch.equal(torch.rand(2), expected)


def test_what_a_cell_raises_is_a_sentence(strange: None) -> None:
    threads = torch.get_num_threads()
    with pytest.raises(RunError) as caught:
        list(measure(Spec.from_plain("cell", {"name": "wrong"}), Plan((SMALL,), threads=(threads + 1,))))
    expected = "cell 'wrong' of distribution 'strange' 1.5 cannot be measured: ValueError: sizes do not fit"
    assert str(caught.value) == expected
    assert isinstance(caught.value.__cause__, ValueError)
    assert torch.get_num_threads() == threads


def test_a_size_that_a_cell_refuses_is_told_as_it_is(strange: None) -> None:
    plan = Plan((Setting("wide", 2, 2, 101),))
    with pytest.raises(UsageError, match="expected at most 100"):
        list(measure(Spec.from_plain("cell", {"name": "probe"}), plan))


def test_where_it_is_measured_is_told() -> None:
    place = Plan(dtype=torch.bfloat16).place
    machine = place.pop("machine").split(", ")
    assert torch.backends.cpu.get_cpu_capability() in machine
    there = shutil.which(shlex.split(os.environ.get("CC", "cc"))[0]) is not None
    assert ("a C compiler" in machine, "no C compiler" in machine) == (there, not there)
    assert ("large products by oneDNN" in machine) is products.PAYS
    assert place == {"device": "cpu", "torch": torch.__version__, "dtype": "bfloat16"}


def test_a_device_is_one_of_this_machine() -> None:
    assert device("cpu") == device("cpu:0") == torch.device("cpu")
    assert (device(None).type == "cpu") != torch.accelerator.is_available()
    for name in ("gpu7", "meta", ""):
        with pytest.raises(UsageError, match=f"--device: expected .* got '{name}': "):
            device(name)
