"""Meeting alone, and being refused; real processes meet in `tests/test_many_processes.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rnnx.core.errors import UsageError
from rnnx.core.processes import leads, rank_and_world_size
from rnnx.core.running.joining import joined

ONE: dict[str, Any] = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto"}


def test_one_process_stays_alone_and_keeps_its_random_numbers() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with joined(ONE):
        assert rank_and_world_size() == (0, 1)
        with pytest.raises(ZeroDivisionError):
            1 / 0  # noqa: B018
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"strategy": "dpp"}, r"^trainer\.strategy: .*, got 'dpp'; did you mean 'ddp'\?$"),
        ({"devices": 2, "strategy": "ddp_spawn"}, "trainer: .*spawn"),
        (
            {"num_nodes": 2},
            r"^trainer\.num_nodes: expected 1, .* got 2; start rnnx on each .* torchrun or SLURM$",
        ),
        ({"accelerator": "tpu"}, r"^trainer\.accelerator: expected one .*cpu.*, got tpu; "),
    ],
)
def test_processes_that_cannot_be_are_refused(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem), joined(ONE | asked):
        pass


def test_the_section_may_hold_more(tmp_path: Path) -> None:
    with joined(ONE | {"max_epochs": 3}):
        assert leads()
