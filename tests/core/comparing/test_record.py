from __future__ import annotations

import json
from pathlib import Path

import pytest

from rnnx.core.comparing.record import Record, Shown
from rnnx.core.errors import InputError
from tests.runs import NOT_ENDED, write_run

HISTORY = "epoch,step,train/loss,valid/loss\n0,9,2.5,\n0,9,,3.0\n1,19,1.5,\n"


def test_a_run_is_what_its_folder_tells(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", "task=lm", "cell=lstm", "seed=7", test={"loss": 1}, history=HISTORY)
    record = Record.read(folder)
    assert (record.name, record.task, record.model, record.seed) == ("a", "lm", "lstm", 7)
    assert record.settings["net.layers"] == 1
    assert record.metric("test/loss") == 1.0
    assert record.metric("test/bleu") is None
    assert record.curves() == {"train/loss": [(9, 2.5), (19, 1.5)], "valid/loss": [(9, 3.0)]}
    assert record.failure == ""


def test_a_baseline_is_the_model(tmp_path: Path) -> None:
    record = Record.read(write_run(tmp_path / "a", "task=lm", "baseline=ngram", test={"loss": 1.0}))
    assert record.model == "ngram"


def test_of_a_run_that_has_not_ended_there_is_less(tmp_path: Path) -> None:
    record = Record.read(write_run(tmp_path / "a", "task=lm"))
    assert record.result is None
    assert record.failure == f"{tmp_path / 'a'}: {NOT_ENDED} {tmp_path / 'a'}"
    assert record.metric("test/loss") is None
    assert (record.curves(), record.samples(), record.flows(), record.plots()) == ({}, [], [], [])


def test_a_damaged_result_is_none(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", "task=lm")
    (folder / "result.json").write_text("{")
    record = Record.read(folder)
    assert record.result is None
    assert "not JSON" in record.failure


@pytest.mark.parametrize("text", ["task: {name: 3}\nseed: 1\n", "task: {name: lm}\n", "a: b\n", "- a\n"])
def test_a_configuration_that_no_run_has_written_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=r"config\.yaml"):
        Record.read(tmp_path)


def test_samples_are_texts_and_fragments(tmp_path: Path) -> None:
    rows = [{"word": {"text": "a", "html": None}, "tag": {"text": "b", "html": "<b>b</b>"}}]
    record = Record.read(write_run(tmp_path / "a", samples=rows))
    assert record.samples() == [{"word": Shown("a", None), "tag": Shown("b", "<b>b</b>")}]


def test_samples_of_an_older_run_are_texts(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a")
    (folder / "samples" / "test.tsv").write_bytes(b'in\tout\r\na\t"b\nc ""d"""\r\n')
    assert Record.read(folder).samples() == [{"in": Shown("a", None), "out": Shown('b\nc "d"', None)}]


@pytest.mark.parametrize("text", ["a\tb\nc\n", "a\nb\tc\n", 'a\n"b" c\n'])
def test_a_wrong_table_of_samples_is_refused(tmp_path: Path, text: str) -> None:
    folder = write_run(tmp_path / "a")
    (folder / "samples" / "test.tsv").write_text(text)
    with pytest.raises(InputError, match=r"test\.tsv"):
        Record.read(folder).samples()


@pytest.mark.parametrize(
    "content",
    ["{", "{}", "[1]", '[{"a": 1}]', '[{"a": {"text": 1, "html": null}}]', '[{"a": {"text": "b"}}]'],
)
def test_wrong_samples_are_refused(tmp_path: Path, content: str) -> None:
    folder = write_run(tmp_path / "a")
    (folder / "samples" / "test.json").write_text(content)
    with pytest.raises(InputError, match=r"test\.json"):
        Record.read(folder).samples()


def test_a_gradient_flow_is_layers_with_curves(tmp_path: Path) -> None:
    layers = [{"layer": "net", "loss": [1.0, None], "state": [1, 0.5], "memory": 2}]
    record = Record.read(write_run(tmp_path / "a", flow=layers))
    assert record.flows() == layers


@pytest.mark.parametrize(
    "layer",
    [
        [],
        {"layer": "net", "loss": [1]},
        {"layer": 1, "loss": [], "state": []},
        {"layer": "a", "loss": "", "state": [True]},
    ],
)
def test_a_wrong_gradient_flow_is_refused(tmp_path: Path, layer: object) -> None:
    folder = write_run(tmp_path / "a")
    (folder / "flow.json").write_text(json.dumps([layer]))
    with pytest.raises(InputError, match=r"flow\.json"):
        Record.read(folder).flows()


def test_pictures_come_in_order(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a")
    (folder / "plots").mkdir()
    for name in ("b.png", "a.png", "c.txt"):
        (folder / "plots" / name).touch()
    assert [path.name for path in Record.read(folder).plots()] == ["a.png", "b.png"]
