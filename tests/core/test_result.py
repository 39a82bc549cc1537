from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from rnnx.core.errors import RunError
from rnnx.core.result import Result, values_of

VALUES = values_of(
    {"test": {"loss": 1.25}}, {"fit": 1.23456}, {"train_tokens_per_second": 7.77}, 9, 3, "rnnx run"
)


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
    Result(tmp_path, VALUES, rows, []).write()
    assert json.loads((tmp_path / "result.json").read_text()) == VALUES
    with (tmp_path / "samples" / "test.tsv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file, dialect="excel-tab")) == rows


def test_without_samples_there_is_no_file_of_them(tmp_path: Path) -> None:
    Result(tmp_path, VALUES, [], []).write()
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_the_result_comes_last(tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("in the way")
    with pytest.raises(RunError, match="samples: the folder could not be made: File exists"):
        Result(tmp_path, VALUES, [{"a": "b"}], []).write()
    assert not (tmp_path / "result.json").exists()
