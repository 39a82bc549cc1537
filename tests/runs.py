"""Folders of runs, written by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnx.core.resolution import resolve

NOT_ENDED = "there is no result.json, as the run has not ended; if it was stopped, go on with rnnx resume"


def write_run(
    folder: Path,
    *words: str,
    test: Mapping[str, float] | None = None,
    valid: Mapping[str, float] | None = None,
    history: str = "",
    samples: Sequence[Mapping[str, Any]] = (),
    flow: Sequence[Mapping[str, Any]] = (),
    **result: Any,
) -> Path:
    """A run's folder.

    Args:
        folder: It; its name is the run's.
        *words: Of the command line, for the configuration.
        test: Its test metrics; None of a run that has not ended.
        valid: Its validation metrics.
        history: The content of ``metrics.csv``.
        samples: The rows of ``samples/test.json``.
        flow: The content of ``flow.json``.
        **result: What ``result.json`` has besides.
    """
    (folder / "samples").mkdir(parents=True)
    config = resolve([*words, f"name={folder.name}", f"out={folder.parent}"])
    config.dump(folder / "config.yaml")
    if test is not None:
        values = {
            "test": test,
            "valid": valid or {},
            "seconds": {"fit": 90.0, "test": 1.0},
            "throughput": {"train_tokens_per_second": 1234.5},
            "parameters": 4321,
            "seed": config.seed,
            "versions": {"rnnx": "0.1.0", "python": "3.11.7"},
            "command": f"rnnx run {' '.join(words)}",
        }
        (folder / "result.json").write_text(json.dumps(values | result), "utf-8")
    if history:
        (folder / "metrics.csv").write_text(history, "utf-8")
    if samples:
        (folder / "samples" / "test.json").write_text(json.dumps(samples), "utf-8")
    if flow:
        (folder / "flow.json").write_text(json.dumps(flow), "utf-8")
    return folder
