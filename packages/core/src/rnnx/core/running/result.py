"""What a run came to, and the files that say so."""

from __future__ import annotations

import csv
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any, final

import lightning as L
import torch
from pydantic_core import to_json

from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.files import make_folder, write_text
from rnnx.core.runs import RESULT, SAMPLES


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
    samples: Sequence[Mapping[str, Exhibit]]
    plots: Sequence[Path]

    @property
    def texts(self) -> list[dict[str, str]]:
        """The samples as texts, without the columns that are drawings only."""
        drawn = {
            name
            for name in (self.samples[0] if self.samples else ())
            if not any(row[name].text for row in self.samples) and any(row[name].html for row in self.samples)
        }
        return [
            {name: exhibit.text for name, exhibit in row.items() if name not in drawn} for row in self.samples
        ]

    def write(self) -> None:
        """Writes ``samples/test.tsv`` and ``samples/test.json``, and at last ``result.json``.

        The last says that the run has ended; a number that is not finite is null in it. The samples are texts
        in the one file, and in the other, for pages, a list of rows, each ``{column: {"text": ..., "html":
        ...}}``; see :class:`rnnx.core.exhibits.exhibit.Exhibit`.
        """
        if self.samples:
            path = self.folder / SAMPLES
            make_folder(path.parent)
            table = StringIO(newline="")
            writer = csv.DictWriter(table, list(self.texts[0]), dialect="excel-tab")
            writer.writeheader()
            writer.writerows(self.texts)
            write_text(path.with_suffix(".tsv"), table.getvalue())
            rows = [
                {name: {"text": exhibit.text, "html": exhibit.html} for name, exhibit in row.items()}
                for row in self.samples
            ]
            write_text(path, _json(rows))
        write_text(self.folder / RESULT, _json(self.values))


def _json(content: object) -> str:
    return to_json(content, indent=2, inf_nan_mode="null").decode() + "\n"


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
        parameters: How many numbers the model has, frozen ones too.
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
