from __future__ import annotations

import os
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
    cores = os.cpu_count() or 1
    for processes, threads in ((1, cores), (cores, 1), (3 * cores, 1)):
        share_cores(processes)
        assert torch.get_num_threads() == threads


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
