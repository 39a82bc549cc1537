from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from rnnx.core.experiment import Experiment
from rnnx.core.exporting.card import card
from rnnx.core.run import Run
from rnnx.core.task import Task

VALUES = {
    "test": {"loss": 0.5, "accuracy": 81.25},
    "valid": {"loss": 0.25},
    "seconds": {"fit": 12.4},
    "throughput": {},
    "parameters": 1234,
    "seed": 7,
    "versions": {"rnnx": "0.1.0", "torch": "2.13.0"},
    "command": "rnnx run task=memory 'name=it'\"'\"'s'",
}


def run_in(folder: Path, *words: str) -> Run:
    experiment = Experiment.from_words(*words, "cell=lstm", "cell.hidden_size=4")
    _, task = experiment.prepare()
    assert isinstance(task, Task)
    return Run(folder, experiment.config, task)


def test_a_card_is_what_the_hub_reads(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(VALUES))
    run = run_in(tmp_path, "task=sentiment", "data.train=8", "data.valid=4", "data.test=4")
    made = ModelCard(card(run, "it's"))
    assert made.data.library_name == "rnnx"
    assert made.data.pipeline_tag == "text-classification"
    assert made.data.tags == ["rnn", "sentiment", "lstm"]
    assert made.data.model_name == "it's"
    results = made.data.eval_results
    assert results is not None
    assert {result.metric_type: result.metric_value for result in results} == VALUES["test"]
    lines = made.text.splitlines()
    assert "# it's" in lines
    assert "| loss | 0.25 | 0.5 |" in lines
    assert "| accuracy |  | 81.25 |" in lines
    assert VALUES["command"] in lines
    assert "Seed 7, 12 seconds of training; rnnx 0.1.0, torch 2.13.0." in lines
    assert "rnnx predict 'it'\"'\"'s' < lines.txt" in lines
    assert "1,234 parameters" in made.text


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    made = ModelCard(card(run_in(tmp_path, "task=memory"), "model"))
    assert made.data.pipeline_tag is None
    assert made.data.eval_results is None
    assert "| metric |" not in made.text
    assert "parameters" not in made.text


@pytest.mark.parametrize("name", ["{x}", "a: b\n- c", "---"])
def test_a_strange_name_spoils_nothing(tmp_path: Path, name: str) -> None:
    made = ModelCard(card(run_in(tmp_path, "task=memory"), name))
    assert made.data.tags == ["rnn", "memory", "lstm"]
