from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from rnnx.core.cores import share_cores


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
