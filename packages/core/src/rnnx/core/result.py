"""What a run came to, and the files that say so."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any, final

import lightning as L
import torch

from rnnx.core.files import make_folder, write_text
from rnnx.core.runs import RESULT


@final
@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        folder: The run's folder.
        values: What ``result.json`` holds: ``test`` and ``valid`` metrics, ``seconds``, ``throughput``,
            ``parameters``, ``seed``, ``versions``, ``command``.
        samples: Sample outputs on the test split, a row each.
        plots: The pictures in ``plots/``.
    """

    folder: Path
    values: Mapping[str, Any]
    samples: Sequence[Mapping[str, str]]
    plots: Sequence[Path]

    def write(self) -> None:
        """Writes ``samples/test.tsv``, and at last ``result.json``, by which a run has ended."""
        if self.samples:
            table = StringIO(newline="")
            writer = csv.DictWriter(table, list(self.samples[0]), dialect="excel-tab")
            writer.writeheader()
            writer.writerows(self.samples)
            path = self.folder / "samples" / "test.tsv"
            make_folder(path.parent)
            write_text(path, table.getvalue())
        text = json.dumps(self.values, indent=2, ensure_ascii=False)
        write_text(self.folder / RESULT, text + "\n")


def values_of(
    metrics: Mapping[str, Mapping[str, float]],
    seconds: Mapping[str, float],
    throughput: Mapping[str, float],
    parameters: int,
    seed: int,
    command: str,
) -> dict[str, Any]:
    """What ``result.json`` holds.

    Args:
        metrics: By split, and by name.
        seconds: How long what took.
        throughput: How much a second.
        parameters: How many numbers were trained.
        seed: Of the run.
        command: What the user typed.
    """
    return {
        **metrics,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "throughput": {name: round(value, 1) for name, value in throughput.items()},
        "parameters": parameters,
        "seed": seed,
        "versions": {
            "rnnx": version("rnnx-core"),
            "torch": torch.__version__,
            "lightning": L.__version__,
            "python": platform.python_version(),
        },
        "command": command,
    }
