from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnx.core.declarations.aims import Aims, aims_of
from rnnx.core.errors import RunError
from rnnx.core.registry import find, plugins

Install = Callable[..., Path]  # see conftest.py


@pytest.mark.parametrize("plugin", plugins("task"), ids=lambda plugin: plugin.name)
def test_what_the_source_says_is_what_the_class_has(plugin) -> None:
    kind = plugin.load()
    assert aims_of(plugin) == Aims(kind.monitor, kind.mode, kind.falling, kind.counted)
    for metric in ("loss", "perplexity", "accuracy", "mse", kind.monitor):
        assert aims_of(plugin).rises(metric) == kind.rises(metric)


def test_those_of_our_tasks_are_read_without_torch() -> None:
    program = (
        "import sys; from rnnx.core.declarations.aims import aims_of; "
        "from rnnx.core.registry import plugins; "
        "print(*(f'{p.name}:{aims_of(p).monitor}' for p in plugins('task')), *sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert {"lm:perplexity", "nmt:bleu", "ner:f1", "memory:loss"} < set(shown.split())
    assert "torch" not in shown.split()


PLAIN = """
import torch
from base import Base
class Plain(Base):
    monitor = "speed"
    mode = "max"
    falling = Base.falling | {"cost"}
class Computed(Base):
    monitor = "sp" + "eed"
class Conditional(Base):
    if True:
        monitor = "other"
"""
BASE = """
class Base:
    monitor = "loss"
    mode = "min"
    falling = frozenset({"loss"})
    counted = "steps"
    def rises(self, metric): ...
"""


def test_a_strangers_are_read_or_imported_where_the_source_does_not_say(install: Install) -> None:
    tasks = {name.lower(): f"strange:{name}" for name in ("Plain", "Computed", "Conditional")}
    install("strange-tasks", {"tasks": tasks}, strange=PLAIN, base=BASE)
    assert aims_of(find("task", "plain")) == Aims("speed", "max", {"loss", "cost"}, "steps")
    assert not {"strange", "base"} & set(sys.modules)
    assert aims_of(find("task", "computed")) == Aims("speed", "min", {"loss"}, "steps")
    assert aims_of(find("task", "conditional")) == Aims("other", "min", {"loss"}, "steps")


def test_a_task_that_can_be_neither_read_nor_imported_is_told(install: Install) -> None:
    install("gone", {"tasks": {"gone": "gone_tasks:Gone"}})
    with pytest.raises(RunError, match=r"gone' of distribution 'gone' 1\.0 cannot be imported"):
        aims_of(find("task", "gone"))
