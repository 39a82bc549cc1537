from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from rnnx.core.errors import RunError, UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.exporting.onnx_file import write
from rnnx.core.operator import Operator
from rnnx.core.run import Run
from rnnx.core.task import Task

SMALL = ("cell.hidden_size=4", "data.train=40", "data.valid=8", "data.test=8")


def untrained(folder: Path, *words: str) -> tuple[Run, Any]:
    """A run as if it had been trained, and its test data."""
    experiment = Experiment.from_words(*words, *SMALL)
    data, task = experiment.prepare()
    assert isinstance(task, Task)
    return Run(folder, experiment.config, task.eval()), data


@pytest.mark.parametrize(
    ("words", "operators", "output"),
    [
        (
            "task=sentiment data.trees=false cell=gru net.layers=2 net.bidirectional=true net.skip=highway "
            "net.variational_input=0.1 net.weight_drop=0.2 task.pooling=attention",
            ["GRU"] * 4,
            ("scores", ["batch", 5]),
        ),
        (
            "task=nmt cell=elman task.embedding_size=6",
            ["RNN"],
            ("states", ["batch", "time", 4]),
        ),
        pytest.param(
            "task=ner cell=peephole-lstm net.bidirectional=true task.character_size=3",
            ["LSTM"] * 4,
            ("scores", ["batch", "time", 13]),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "task=video cell=coupled-lstm net.layers=2 net.skip=dense net.recurrent_dropout=0.2",
            ["LSTM"] * 2,
            ("scores", ["batch", "time", 8]),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["sentiment", "nmt", "ner", "video"],
)
@torch.no_grad()
def test_a_file_computes_what_the_model_does(
    tmp_path: Path, words: str, operators: list[str], output: tuple[str, list[Any]]
) -> None:
    run, data = untrained(tmp_path, *words.split())
    path = tmp_path / "model.onnx"
    assert write(run, path) <= 1e-5

    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    recurrent = {"RNN", "GRU", "LSTM"}
    assert [node.op_type for node in model.graph.node if node.op_type in recurrent] == operators
    assert not {node.domain for node in model.graph.node} - {"", "ai.onnx"}  # every program's own
    (made,) = model.graph.output
    shape = [dim.dim_param or dim.dim_value for dim in made.type.tensor_type.shape.dim]
    assert (made.name, shape) == output
    notes = {note.key: json.loads(note.value) for note in model.metadata_props}
    assert notes["task"] == run.config.task.name
    assert notes["meta"] == run.task.hparams["meta"]

    session = onnxruntime.InferenceSession(path)
    for batch in data.loader("test"):
        pictures = batch.inputs.dtype == torch.uint8
        inputs = batch.inputs.float() if pictures else batch.inputs
        (found,) = session.run([output[0]], {"inputs": inputs.numpy(), "lengths": batch.lengths.numpy()})
        expected = run.task.graph().compute(batch.inputs, batch.lengths)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("task=nmt cell=rhn", "no operator for the cell 'rhn' with these options of cell and net"),
        ("task=nmt cell=gru net.zoneout=0.1", "no operator for the cell 'gru' with these options"),
        ("task=memory cell=gru", "Memory has no such part"),
    ],
)
def test_what_cannot_be_is_said_and_not_written(tmp_path: Path, words: str, problem: str) -> None:
    run, _ = untrained(tmp_path, *words.split())
    with pytest.raises(UsageError, match=problem):
        write(run, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_an_existing_file_stays_as_it_is(tmp_path: Path) -> None:
    run, _ = untrained(tmp_path, "task=nmt", "cell=elman")
    (tmp_path / "model.onnx").write_text("mine")
    with pytest.raises(UsageError, match="exists already, and nothing in it is overwritten"):
        write(run, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_text() == "mine"


def test_a_file_that_would_differ_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = untrained(tmp_path, "task=nmt", "cell=elman")
    cell = run.task.encoder.layers[0].cell  # type: ignore[union-attr, index]
    weights = [weight.detach() + 1e-3 for weight in cell.operator().weights]  # type: ignore[operator, union-attr]
    monkeypatch.setattr(type(cell), "operator", lambda _: Operator("RNN", weights))
    with pytest.raises(RunError, match="would give other numbers than the model"):
        write(run, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_none_for_some_inputs_are_a_difference(tmp_path: Path) -> None:
    run, _ = untrained(tmp_path, "task=sentiment", "data.trees=false", "cell=elman")
    with torch.no_grad():
        run.task.get_parameter("embedding.weight")[::6] = torch.nan
    torch.manual_seed(0)  # of the three batches that are compared, the first has none of these words
    with pytest.raises(RunError, match="would give other numbers than the model, by nan"):
        write(run, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
