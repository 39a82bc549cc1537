"""What holds between processes, shown by two real ones; whole runs are in `tests/test_many_processes.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from rnnx.core.processes import (
    from_leader,
    gather,
    largest,
    leads,
    rank_and_world_size,
    shareable,
    summed,
    together,
    using,
)

PROGRAM = """
import json, os, sys, torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from rnnx.core.errors import InputError, UsageError
from rnnx.core.processes import *
from rnnx.core.processes import rank_and_world_size

class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ParameterList(torch.tensor(float(n)) for n in (2, 3, 5))
    def forward(self, which):
        return self.parts[which] * 4

def outcome(call):
    try:
        return call()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"

def failing(*ranks):
    with together():
        if rank in ranks:
            raise UsageError(f"mine is {rank}")
    return "went on"

def gradients(keep):
    model = Halves()
    both = DistributedDataParallel(model)
    for _ in range(2):
        model.zero_grad()
        loss = both(rank)
        (using(loss, model.parameters()) if keep else loss).backward()
    return [part.grad.item() for part in model.parts]

rank = 1 if os.fork() == 0 else 0
meeting = f"file://{sys.argv[1]}/meeting"
torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
sums = summed(torch.tensor(0.5 + rank), torch.tensor(3 + rank))
found = {
    "place": rank_and_world_size(),
    "gather": gather(["a", "b"][rank]),
    "largest": [largest(rank), largest(-rank)],
    "summed": [[value.item() for value in sums], [str(value.dtype) for value in sums]],
    "wide": summed(torch.tensor(1.0, dtype=torch.float64), torch.tensor([2**30, 1][rank]))[1].item(),
    "from_leader": from_leader(lambda: f"made by {rank_and_world_size()[0]}"),
    "leader fails": outcome(lambda: from_leader(lambda: int("four"))),
    "nobody fails": outcome(failing),
    "one fails": outcome(lambda: failing(1)),
    "both fail": outcome(lambda: failing(0, 1)),
    "few": outcome(lambda: shareable(1)),
    "enough": outcome(lambda: shareable(2)),
    "gradients": gradients(keep=True),
}
with open(f"{sys.argv[1]}/{rank}.json", "w") as file:
    json.dump(found, file)
found["unused"] = outcome(lambda: gradients(keep=False))
with open(f"{sys.argv[1]}/{rank}.json", "w") as file:
    json.dump(found, file)
if rank == 0:
    os.wait()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the first and the second process came to."""
    folder = tmp_path_factory.mktemp("two")
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]


def test_each_knows_its_place(found: list[dict[str, Any]]) -> None:
    assert [one["place"] for one in found] == [[0, 2], [1, 2]]


def test_all_get_what_each_has(found: list[dict[str, Any]]) -> None:
    for one in found:
        assert one["gather"] == ["a", "b"]
        assert one["largest"] == [1, 0]
        assert one["from_leader"] == "made by 0"


def test_sums_are_those_of_all_in_the_type_of_the_first(found: list[dict[str, Any]]) -> None:
    for one in found:
        assert one["summed"] == [[2.0, 7.0], ["torch.float32", "torch.float32"]]
        assert one["wide"] == 2**30 + 1  # which 32 bits do not hold


def test_where_one_fails_all_end_and_the_first_says_why(found: list[dict[str, Any]]) -> None:
    first, second = found
    assert first["nobody fails"] == second["nobody fails"] == "went on"
    assert (first["one fails"], second["one fails"]) == ("SystemExit: 2", "UsageError: mine is 1")
    assert (first["both fail"], second["both fail"]) == ("UsageError: mine is 0", "SystemExit: 2")
    assert first["leader fails"].startswith("ValueError: invalid literal")
    assert second["leader fails"] == "SystemExit: 1"


def test_a_split_has_an_example_for_each(found: list[dict[str, Any]]) -> None:
    for one in found:
        assert one["few"].startswith(
            "UsageError: data: 1 examples of a split cannot be shared by 2 processes"
        )
        assert one["enough"] is None


def test_a_parameter_may_be_used_in_one_process_only_or_in_none(found: list[dict[str, Any]]) -> None:
    """Each uses one of three parameters, with gradient 4; gradients are averaged."""
    assert [one["gradients"] for one in found] == [[2.0, 2.0, 0.0]] * 2
    assert any("Expected to have finished reduction" in str(one["unused"]) for one in found)


def test_alone_nothing_is_to_be_agreed() -> None:
    assert rank_and_world_size() == (0, 1)
    assert leads()
    one, two = torch.tensor(1.5), torch.tensor(2)
    same = summed(one, two)
    assert same[0] is one
    assert same[1] is two
    assert (gather(3), largest(3), from_leader(lambda: 3)) == ([3], 3, 3)
    shareable(0)
    with pytest.raises(KeyError), together():
        raise KeyError


def test_a_loss_keeps_its_value_and_its_gradient() -> None:
    weight, other = (torch.tensor(value, requires_grad=True) for value in (3.0, 7.0))
    loss = using(weight * 2, [weight, other])
    assert loss.item() == 6
    loss.backward()
    assert weight.grad == 2
    assert other.grad is None
