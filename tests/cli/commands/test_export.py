from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from rnnx.core.run import Run

if TYPE_CHECKING:
    from conftest import CommandLine

LINES = "la niña come la manzana roja\n\nuna casa\n"


def test_an_exported_folder_is_used_as_the_run_is(
    trained: tuple[CommandLine, subprocess.CompletedProcess[str]], using: CommandLine, tmp_path: Path
) -> None:
    rnnx, _ = trained
    folder = str(tmp_path / "my model")
    done = rnnx("export", "it's small", folder)
    assert (done.returncode, done.stdout) == (0, f"{folder}: rnnx predict '{folder}'\n"), done.stderr
    asked = using("predict", folder, "scores=true", stdin=LINES).stdout.splitlines()
    model = Run.load("it's small", out=rnnx.folder / "runs")
    assert asked == list(model.predict(LINES.splitlines(), scores=True))

    files = {path: path.read_bytes() for path in Path(folder).iterdir()}
    again = using("export", "it's small", folder)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith(f"rnnx: {folder} exists already, and nothing in it is overwritten")
    assert {path: path.read_bytes() for path in Path(folder).iterdir()} == files


def test_onnx_may_be_said_instead_of_named(
    trained: tuple[CommandLine, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    rnnx, _ = trained
    path = tmp_path / "encoder"
    done = rnnx("export", "it's small", str(path), "--format", "onnx")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{path}: states of inputs and lengths, equal to the model's within ")
    assert done.stderr == ""
