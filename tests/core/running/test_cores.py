from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from rnnx.core.running.cores import share_cores, take_gpu


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_each_process_has_its_share_and_at_least_one() -> None:
    cores = len(os.sched_getaffinity(0))
    for processes, threads in ((1, cores), (cores, 1), (3 * cores, 1)):
        torch.set_num_threads(cores)
        share_cores(processes)
        assert torch.get_num_threads() == threads


SHARED = """
import os
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: int(os.environ["CORES"])])
import torch
from rnnx.core.running.cores import share_cores
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 64)))
share_cores(1)
print(torch.get_num_threads())
"""


@pytest.mark.parametrize(("cores", "said"), [(1, None), (len(os.sched_getaffinity(0)), "1")])
def test_it_has_no_more_than_it_may_use_nor_than_the_user_says(cores: int, said: str | None) -> None:
    """One core of a machine that has several, as a scheduler gives it; one thread, as the user says."""
    others = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment = {**others, "CORES": str(cores)} | ({} if said is None else {"OMP_NUM_THREADS": said})
    told = subprocess.run([sys.executable, "-c", SHARED], env=environment, capture_output=True, text=True)
    assert told.stdout == "1\n", told.stderr


@pytest.mark.parametrize(
    ("there", "said", "left"),
    [
        (3, None, ["0", "1", "2", "0"]),
        (2, "5,7", ["5", "7", "5", "7"]),
        (1, "3", ["3"] * 4),
        (0, None, [None] * 4),
    ],
)
def test_processes_take_the_visible_gpus_in_turn(
    monkeypatch: pytest.MonkeyPatch, there: int, said: str | None, left: list[str | None]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    found = []
    for number in range(4):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if said is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
        take_gpu(number)
        found.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
    assert found == left
