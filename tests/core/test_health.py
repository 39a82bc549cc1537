from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from rnnx.core import health
from rnnx.core.health import Finding, examine
from rnnx.core.nets import products
from rnnx.core.registry import GROUPS, plugins

Install = Callable[[str, str, dict[str, str]], None]


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs somebody's distribution, its metadata and its files."""

    def install(name: str, entry_points: str, files: dict[str, str]) -> None:
        info = tmp_path / "site" / f"{name}-7.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 7.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        for path, text in files.items():
            (tmp_path / "site" / path).write_text(text)
        monkeypatch.syspath_prepend(tmp_path / "site")

    return install


def test_where_all_is_well_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("rnnx.core.tracking.wandb_runs.has_key", lambda: False)
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "config.yaml").touch()
    found = list(examine(tmp_path / "runs"))
    assert {(one.state, one.advice) for one in found} == {("well", "")}
    values = {one.what: one.value for one in found}
    assert values["python"] == platform.python_version()
    for name in ("torch", "lightning", "wandb", "rnnx", "rnnx-cells"):
        assert values[name] == version(name)
    assert f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()}" in values["cpu"]
    name, *options = shlex.split(os.environ.get("CC", "cc"))
    there, none = shutil.which(name), "none, so cells' steps are slower on the cpu"
    assert values["C compiler"] == (" ".join([there, *options]) if there else none)
    assert values["large products"] == ("by oneDNN" if products.PAYS else "as torch makes them")
    for kind, group in GROUPS.items():
        assert values[group.removeprefix("rnnx.")].startswith(f"{len(plugins(kind))}, of rnnx-")
    assert (values["key of Weights & Biases"], values["mode"]) == ("none", "offline")
    assert values["folder"] == f"{tmp_path / 'runs'}, 1 run"
    assert values["free"].endswith(" GiB")


def test_a_plugin_that_cannot_be_used_is_told_with_its_cause(install: Install) -> None:
    install(
        "foreign",
        "[rnnx.cells]\nabsent = no_such_module:Cell\ngru = foreign_late:Gru\nlate = foreign_late:Late\n",
        {"foreign_late.py": "class Late: ...\nclass Gru: ...\n[][0]\n"},
    )
    found = by_name(list(health.installed()))
    assert found["cells"].value.startswith(f"{len(plugins('cell')) - 4}, of foreign 7.0, rnnx-cells ")
    broken = [one for one in health.installed() if one.state == "broken"]
    assert [(one.what, one.value) for one in broken] == [
        ("cell 'absent'", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("cell 'gru'", f"also offered by distribution 'rnnx-cells' {version('rnnx-cells')}"),
        ("cell 'gru'", "also offered by distribution 'foreign' 7.0"),
        ("cell 'late'", "IndexError: list index out of range"),
    ]
    assert broken[-1].advice == "mend or uninstall distribution 'foreign'"


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        (["no-such-library>=2"], "no-such-library, which is not installed"),
        (["torch>=99", "lightning"], f"torch>=99, and there is {version('torch')}"),
        (["no-such-library; extra == 'gpu'"], None),
        (["no-such-library; python_version < '3'"], None),
    ],
)
def test_a_library_that_is_missing_or_too_old_is_told(
    needs: list[str], told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "rnnx-9.0.dist-info"
    info.mkdir()
    lines = [
        "Metadata-Version: 2.1",
        "Name: rnnx",
        "Version: 9.0",
        *(f"Requires-Dist: {one}" for one in needs),
    ]
    (info / "METADATA").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    found = by_name(list(health.software()))["rnnx"]
    assert found.value == "9.0"
    advice = f"it needs {told}; install it again, or run pip check"
    assert (found.state, found.advice) == (("broken", advice) if told else ("well", ""))


def test_a_compiler_that_is_not_there_is_no_fault() -> None:
    program = (
        "from rnnx.core.health import devices; print([one for one in devices() if one.what == 'C compiler'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"CC": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "value=\"none, so cells' steps are slower on the cpu\", state='well', advice=''" in done.stdout


def test_threads_that_are_held_back_are_suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(os, "cpu_count", lambda: torch.get_num_threads() + 1)
    found = by_name(list(health.devices()))["cpu"]
    assert found.state == "suspicious"
    assert found.advice.startswith("OMP_NUM_THREADS=1 keeps torch from using all cores")


def test_a_driver_without_a_gpu_for_torch_is_suspicious(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.touch(0o755)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = by_name(list(health.devices()))["cuda"]
    assert (found.value, found.state) == ("none", "suspicious")
    assert found.advice.startswith(f"{driver} is there, but torch {torch.__version__} sees no GPU: ")


@pytest.mark.parametrize(
    ("mode", "key", "value", "state"),
    [
        ("", False, "offline", "well"),
        ("", True, "online", "well"),
        ("offline", True, "offline, as WANDB_MODE says", "well"),
        ("online", False, "online, as WANDB_MODE says", "broken"),
    ],
)
def test_where_a_run_would_be_tracked(
    mode: str, key: bool, value: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    monkeypatch.setattr("rnnx.core.tracking.wandb_runs.has_key", lambda: key)
    found = by_name(list(health.tracking()))
    assert found["key of Weights & Biases"].value == ("yes" if key else "none")
    assert (found["mode"].value, found["mode"].state) == (value, state)


def test_a_place_that_cannot_hold_runs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    folder, _ = health.runs(tmp_path / "file" / "runs")
    assert folder.state == "broken"
    assert folder.advice.startswith(f"nothing can be written in {tmp_path / 'file'}; ")
    folder, _ = health.runs(tmp_path / "new" / "runs")
    assert (folder.state, folder.value) == ("well", f"{tmp_path / 'new' / 'runs'}, 0 runs")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2**29))
    _, free = health.runs(tmp_path)
    assert (free.state, free.value) == ("suspicious", "0.5 GiB")
