from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from rnnx.core.errors import RunError
from rnnx.core.exhibits.exhibit import Drawing, Exhibit, Text
from rnnx.core.running.result import Result, values_of

VALUES = values_of(
    {"test": {"loss": 1.25}}, {"fit": 1.23456}, {"train_tokens_per_second": 7.77}, 9, 3, "rnnx run"
)


def drawing(text: str) -> Drawing:
    return Drawing(text, "nothing", lambda: Figure(figsize=(1, 1)))


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples" / "test.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, dialect="excel-tab"))


def page(folder: Path) -> Any:
    return json.loads((folder / "samples" / "test.json").read_text(encoding="utf-8"))


def test_the_values_are_rounded_where_they_are_times() -> None:
    versions = VALUES["versions"]
    assert versions["torch"] == torch.__version__
    assert {
        "test": {"loss": 1.25},
        "seconds": {"fit": 1.235},
        "throughput": {"train_tokens_per_second": 7.8},
        "parameters": 9,
        "seed": 3,
        "versions": versions,
        "command": "rnnx run",
    } == VALUES


def test_it_is_written_as_it_is(tmp_path: Path) -> None:
    rows = [{"source": "ein\tTab, ein\nUmbruch", "target": "ß"}, {"source": '"', "target": ""}]
    exhibits = [{name: Text(text) for name, text in row.items()} for row in rows]
    Result(tmp_path, VALUES, exhibits, []).write()
    assert json.loads((tmp_path / "result.json").read_text()) == VALUES
    assert table(tmp_path) == rows
    assert page(tmp_path) == [
        {name: {"text": text, "html": None} for name, text in row.items()} for row in rows
    ]


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    """JSON has no other word for it."""
    values = VALUES | {"test": {"loss": math.nan, "perplexity": math.inf, "bleu": 1.5}}
    Result(tmp_path, values, [], []).write()
    text = (tmp_path / "result.json").read_text()
    written = json.loads(text, parse_constant=pytest.fail)
    assert written["test"] == {"loss": None, "perplexity": None, "bleu": 1.5}


def test_a_column_of_drawings_is_in_the_page_alone(tmp_path: Path) -> None:
    """One of empty texts is in the table, as an untrained model may have; and one of pictures with texts."""
    rows: list[dict[str, Exhibit]] = [
        {"a": Text(""), "b": drawing(""), "c": Text("")},
        {"a": Text(""), "b": Text(""), "c": drawing("c.png")},
    ]
    result = Result(tmp_path, VALUES, rows, [])
    result.write()
    assert table(tmp_path) == result.texts == [{"a": "", "c": ""}, {"a": "", "c": "c.png"}]
    assert [list(row) for row in page(tmp_path)] == [["a", "b", "c"]] * 2
    assert page(tmp_path)[0]["b"] == {"text": "", "html": rows[0]["b"].html}
    assert page(tmp_path)[1]["b"] == {"text": "", "html": None}


def test_without_samples_there_is_no_file_of_them(tmp_path: Path) -> None:
    Result(tmp_path, VALUES, [], []).write()
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_the_result_comes_last(tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("in the way")
    with pytest.raises(RunError, match="samples: the folder could not be made: File exists"):
        Result(tmp_path, VALUES, [{"a": Text("b")}], []).write()
    assert not (tmp_path / "result.json").exists()
