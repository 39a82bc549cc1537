"""What the folder of a run holds, read without a model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, final

from rnnx.core.config_file import settings
from rnnx.core.errors import InputError, UsageError
from rnnx.core.running.history import METRICS, series
from rnnx.core.runs import CONFIG, FLOW, SAMPLES, read_result

Points: TypeAlias = list[tuple[float, float]]


@final
class Shown(NamedTuple):
    """One thing that a sample shows.

    Attributes:
        text: Its plain form.
        html: A fragment for pages, as it stands in the file, so to be cleaned; None where the text is all.
    """

    text: str
    html: str | None


@final
@dataclass(frozen=True)
class Record:
    """A run, as its folder tells.

    Attributes:
        folder: Where it lies.
        settings: Its configuration: ``section.option``, ``section.name`` and the keys of a run.
        result: What ``result.json`` holds; None where there is none.
        failure: Why there is none, a sentence; else empty.
    """

    folder: Path
    settings: Mapping[str, Any]
    result: Mapping[str, Any] | None
    failure: str = ""

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Reads the configuration and the result; the rest is read when it is asked for.

        Args:
            folder: The run's folder.

        Raises:
            InputError: its configuration is not one that a run has written.
        """
        path = folder / CONFIG
        said = settings(path)
        if type(said.get("task.name")) is not str or type(said.get("seed")) is not int:
            raise InputError(path, "expected the configuration of a run, with a task's name and a seed")
        try:
            return cls(folder, said, read_result(folder))
        except (UsageError, InputError) as error:
            return cls(folder, said, None, str(error))

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.resolve().name

    @property
    def task(self) -> str:
        """Name of its task."""
        return str(self.settings["task.name"])

    @property
    def model(self) -> str:
        """Name of its cell, or of its baseline."""
        return str(self.settings.get("baseline.name") or self.settings.get("cell.name"))

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.settings["seed"])

    def metric(self, name: str) -> float | None:
        """A metric that its result holds, such as ``test/loss``; None where it does not."""
        split, _, metric = name.partition("/")
        found = (self.result or {}).get(split, {}).get(metric)
        return None if found is None else float(found)

    def curves(self) -> dict[str, Points]:
        """Its metrics while it was trained, each as steps and values; none where it wrote no history.

        Raises:
            InputError: ``metrics.csv`` is not what a run writes.
        """
        path = self.folder / METRICS
        return series(path) if path.is_file() else {}

    def samples(self) -> list[dict[str, Shown]]:
        """What its model made of examples of the test split, a row each.

        Raises:
            InputError: the file is not what a run writes.
        """
        path = self.folder / SAMPLES
        if path.is_file():
            rows = _json(path, _is_sample, 'rows of {"text": ..., "html": ...} by column')
            return [{name: Shown(one["text"], one["html"]) for name, one in row.items()} for row in rows]
        path = path.with_suffix(".tsv")
        if not path.is_file():
            return []
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file, dialect="excel-tab", strict=True))
        except (csv.Error, ValueError) as error:
            raise InputError(path, f"expected a table with tabs between its columns: {error}") from None
        if any(None in row or None in row.values() for row in rows):
            raise InputError(path, "expected as many columns in each row as in the first")
        return [{name: Shown(text, None) for name, text in row.items()} for row in rows]

    def flows(self) -> list[Mapping[str, Any]]:
        """How gradients flow through its layers, each as :meth:`rnnx.core.gradient_flow.Flow.to_plain`.

        There are none where that was not measured.

        Raises:
            InputError: ``flow.json`` is not what :class:`rnnx.core.gradient_flow.Flow` writes.
        """
        path = self.folder / FLOW
        return _json(path, _is_flow, "layers, each with its curves") if path.is_file() else []

    def plots(self) -> list[Path]:
        """Its pictures."""
        return sorted((self.folder / "plots").glob("*.png"))


def _json(path: Path, check: Callable[[Any], bool], expected: str) -> list[Any]:
    """The content of a file: a list, each of whose members passes a check."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"not JSON: {error}") from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None
    if not isinstance(content, list) or not all(map(check, content)):
        raise InputError(path, f"expected a list of {expected}")
    return content


def _is_sample(row: Any) -> bool:
    return isinstance(row, dict) and all(
        isinstance(one, dict)
        and isinstance(one.get("text"), str)
        and isinstance(one.get("html", 0), str | None)
        for one in row.values()
    )


def _is_flow(layer: Any) -> bool:
    return (
        isinstance(layer, dict)
        and isinstance(layer.get("layer"), str)
        and all(_is_curve(layer.get(name)) for name in ("loss", "state"))
    )


def _is_curve(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) in (int, float, type(None)) for value in values)
