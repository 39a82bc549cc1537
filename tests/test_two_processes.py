"""Two processes, each with some of the rows, get the gradient of one: every installed cell and task."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rnnx.core.registry import plugins

PROGRAM = """
import json, os, sys, torch
from torch.nn.parallel import DistributedDataParallel
from rnnx.core.layers import Layer
from rnnx.core.registry import plugins
from rnnx.core.testing.cells.subject import subjects as cells
from rnnx.core.testing.cells.ways import FORTH
from rnnx.core.testing.kit import subject_of
from rnnx.core.testing.tasks.batches import rows
from rnnx.core.testing.tasks.check import numbers
from rnnx.core.testing.tasks.probe import installed
from rnnx.core.testing.tasks.subject import subjects as tasks

def of_a_cell(plugin):
    subject = next(cells(*subject_of(plugin)))
    def loss(model, chosen):
        y, _ = model(subject.x[chosen], FORTH.structure[chosen])
        return y.square().sum()
    return Layer(subject.cell), loss

def of_a_task(plugin):
    task_class, data = subject_of(plugin)
    data.prepare()
    subject = next(tasks(task_class, data))
    task, batch = subject.build(), subject.batches("train")[0]
    def loss(model, chosen):
        part = rows(batch, chosen)
        return task.loss(model(part), part).total
    return task, loss

def distance(model, loss):
    one = torch.autograd.grad(loss(model, [0, 1, 2, 3]) / 2, list(model.parameters()))
    together = DistributedDataParallel(model)
    for _ in range(2):  # only the second pass knows of parameters that got no gradient in the first
        model.zero_grad()
        loss(together, MINE).backward()
    return max(float((p.grad - g).abs().max()) for p, g in zip(model.parameters(), one))

with numbers(torch.double), installed():
    made = {plugin.name: of_a_cell(plugin) for plugin in plugins("cell") if plugin.name != "probe"}
    made |= {f"task {plugin.name}": of_a_task(plugin) for plugin in plugins("task")}
    rank = 1 if os.fork() == 0 else 0  # both have the same models and the same batches
    MINE = [[0], [1, 2, 3]][rank]
    meeting = "file://" + sys.argv[1]
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    found = {name: distance(model, loss) for name, (model, loss) in made.items()}
if rank == 0:
    print(json.dumps(found))
    os.wait()
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_get_the_gradient_of_one(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error::UserWarning", "-c", PROGRAM, str(tmp_path / "meeting")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == {
        *(plugin.name for plugin in plugins("cell")),
        *(f"task {plugin.name}" for plugin in plugins("task")),
    }
    assert {name: distance for name, distance in found.items() if not distance < 1e-9} == {}
