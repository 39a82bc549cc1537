from __future__ import annotations

from typing import Any

import pytest
import torch

from rnnx.core.errors import UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.task import Task

SMALL = ("cell.hidden_size=4", "net.bidirectional=true", "data.train=40", "data.valid=8", "data.test=8")


def model(*words: str) -> tuple[Task, Any]:
    data, task = Experiment.from_words(*words).prepare()
    assert isinstance(task, Task)
    return task.eval(), next(iter(data.loader("test")))


@pytest.mark.parametrize(
    "words",
    [
        ("task=sentiment", "data.trees=false", *SMALL),
        ("task=ner", "task.character_size=3", *SMALL),
        ("task=ner", "task.character_size=0", *SMALL),
        ("task=video", *SMALL),
    ],
    ids=" ".join,
)
@torch.no_grad()
def test_the_graph_of_a_classifier_is_its_forward_pass(words: tuple[str, ...]) -> None:
    task, batch = model(*words)
    graph, whole = task.graph(), task(batch)
    found = graph.compute(batch.inputs, batch.lengths)
    torch.testing.assert_close(found, whole.texts if words[0] == "task=sentiment" else whole)
    assert graph.compute(graph.example(3, 2), torch.tensor([2, 1, 2])).shape[0] == 3


@torch.no_grad()
def test_that_of_a_translation_is_what_its_encoder_gives() -> None:
    task, batch = model("task=nmt", *SMALL)
    memory, _ = task._encode(batch.inputs, batch.lengths)  # type: ignore[operator]
    found = task.graph().compute(batch.inputs, batch.lengths)
    torch.testing.assert_close(found, memory.values)


def test_a_task_without_such_a_part_says_so() -> None:
    with pytest.raises(UsageError, match="Memory has no such part by itself; export a folder instead"):
        model("task=memory", "cell.hidden_size=4")[0].graph()
    with pytest.raises(UsageError, match="composes along trees"):
        model("task=sentiment", "cell.hidden_size=4")[0].graph()
