from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.registry import find
from rnnx.core.state import State
from rnnx.core.testing import check_cell, checks
from rnnx.core.testing.kit import CHECKS, name_of, noise, slowness, subject_of

But = Callable[..., type[Cell]]

MODULE = '''
"""{first}"""

import torch
from rnnx.core.cell import Cell
from torch import nn


class Leaky(Cell):
    """A leaky integrator.

    .. math::
        h_t = h_{{t-1}} / 2 + W x_t

    Args:
        hidden_size: Width of the state.
    """

    def __init__(self, input_size: int, *, hidden_size: int = 8) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.weight = nn.Linear(input_size, hidden_size)

    def project(self, x):
        return self.weight(x)

    def step(self, z, state):
        h = {step}
        return h, (h,)
'''


def installed(folder: Path, first: str = "Somebody 1952.", step: str = "0.5 * state[0] + z") -> Path:
    """A distribution with the cell ``leaky``, as pip would leave it."""
    (folder / "leaky_cells.py").write_text(MODULE.format(first=first, step=step))
    metadata = folder / "leaky_cells-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: leaky-cells\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[rnnx.cells]\nleaky = leaky_cells:Leaky\n")
    return folder


def pytest_run(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """What pytest makes of a file of this one line."""
    (folder / "test_leaky.py").write_text(line)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_leaky.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("kind", ["cell", "task"])
def test_every_check_that_is_written_is_run(kind: str) -> None:
    modules = {inspect.getmodule(inspect.unwrap(check)) for check in CHECKS[kind]}
    written = {name for module in modules for name in vars(module) if module and name.startswith("check_")}
    assert {check.__name__ for check in checks(kind)} == written
    assert len(CHECKS[kind]) == len(written)


@pytest.mark.parametrize(
    ("kind", "check"), [(kind, check) for kind in ("cell", "task") for check in CHECKS[kind]]
)
def test_every_check_is_proven_to_fail(kind: str, check: Callable[..., None]) -> None:
    tests = "".join(path.read_text() for path in (Path(__file__).parent / f"{kind}s").glob("test_*.py"))
    _, *after = tests.split("pytest.raises(AssertionError")
    assert any(f" {check.__name__}(" in block.partition("\n\n")[0] for block in after)


def test_data_has_checks_of_tasks_and_all_that_are_about_the_data_alone() -> None:
    assert set(CHECKS["data"]) < set(CHECKS["task"])
    assert {check.__name__ for check in CHECKS["data"]} >= {
        "check_meta_is_plain",
        "check_batches_have_their_rows",
        "check_evaluation_is_of_the_same_examples_in_the_same_order",
        "check_training_is_in_a_new_order_each_epoch",
    }


def test_what_data_is_checked_with_is_its_task_and_itself() -> None:
    task, data = subject_of(find("data", "memory.copying"))
    assert task is find("task", "memory").load()
    assert type(data) is find("data", "memory.copying").load()


def test_a_cell_that_is_right_has_no_problem(right: type[Cell], unrolled: type[Cell]) -> None:
    for cell in (right, unrolled):
        found = check_cell(cell)
        assert [name for name, _ in found] == [name_of(check) for check in checks()]
        assert [problem for _, problem in found if problem] == []


def test_a_cell_that_is_wrong_has_its_problem_in_one_sentence(right: type[Cell], but: But) -> None:
    def step(self: Cell, z: Tensor, state: State) -> tuple[Tensor, State]:
        return right.step(self, z - z.mean(0), state)

    found = dict(check_cell(but(right, step=step)))
    problem = found["neighbours change nothing"]
    assert problem is not None
    assert problem.startswith("output at step 1 changes with the other rows of the batch: ")
    assert "\n" not in problem
    assert found["paper and equations are given"] is None


def test_the_random_numbers_of_the_program_are_left_alone(right: type[Cell]) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check_cell(right)
    assert torch.equal(torch.rand(2), expected)


LINE = 'from rnnx.core.testing import conformance; test_conformance = conformance("leaky")\n'


def test_one_line_is_a_plugins_test_file(tmp_path: Path) -> None:
    done = pytest_run(installed(tmp_path), LINE)
    assert done.returncode == 0, done.stdout
    assert f"{len(checks())} passed" in done.stdout


def test_the_line_fails_with_the_sentence_for_a_cell_that_is_wrong(tmp_path: Path) -> None:
    done = pytest_run(installed(tmp_path, first="A cell.", step="0.5 * state[0].detach() + z"), LINE)
    assert done.returncode == 1, done.stdout
    assert "the first line of module leaky_cells names no paper with its year: 'A cell.'" in done.stdout
    assert "the gradient of state tensor 1" not in done.stdout  # no output depends on it any more
    assert "the gradient of the input at equal lengths is " in done.stdout
    assert f"2 failed, {len(checks()) - 2} passed" in done.stdout


def test_the_checks_need_no_pytest() -> None:
    program = (
        "import sys; from rnnx.core.testing import checks; assert checks() and 'pytest' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_cell_that_cannot_be_read_is_not_slow() -> None:
    class Broken(Cell):
        def __init__(self, input_size: int) -> None:
            super().__init__()
            self.input_size, self.output_size, self.state_sizes = input_size, input_size, (input_size,)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            raise ValueError

    assert slowness(Broken) is None
    assert noise(Broken) is None
    assert slowness(find("cell", "gru").load()) is None
