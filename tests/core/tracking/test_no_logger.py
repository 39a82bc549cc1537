"""A run without a history."""

from __future__ import annotations

from pathlib import Path

from rnnx.core.experiment import Experiment


def test_none_keeps_no_history(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = Experiment.from_words(*words, "logger=none").run()
    assert {path.name for path in result.folder.iterdir()} == {
        "config.yaml",
        "data.json",
        "flow.json",
        "result.json",
        "checkpoints",
        "samples",
        "plots",
    }
