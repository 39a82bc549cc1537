from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.run import parameters
from rnnx.core.yaml import yaml

RUN = "it's small"


def invoke(*words, stdin=b""):
    """The command in this process."""
    return CliRunner().invoke(app, words, input=stdin, prog_name="rnnx")


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_is_kept_and_told(trained):
    command, done = trained
    assert done.returncode == 0, done.stderr
    folder = command.folder / "runs" / RUN
    result = json.loads((folder / "result.json").read_text())
    assert result["command"].startswith("rnnx run task=nmt data.train=200 ")
    assert result["command"].endswith(""" 'name=it'"'"'s small'""")  # as a shell would take it
    table = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if len(line.split()) == 3}
    for name in ("loss", "perplexity", "bleu", "chrf"):
        assert table[name] == [f"{result[split][name]:,.3f}" for split in ("valid", "test")]
    assert len(re.findall(r"^source  ", done.stdout, re.MULTILINE)) == 5
    for path in re.findall(r"^plot +(.*)$", done.stdout, re.MULTILINE):
        assert (command.folder / path).read_bytes().startswith(b"\x89PNG")
    assert re.findall("^epoch 1 .*valid bleu", done.stderr)
    assert "\x1b" not in done.stdout + done.stderr


def test_the_command_that_is_told_uses_the_model(trained):
    command, done = trained
    told = re.search(r"^use it +(.*)$", done.stdout, re.MULTILINE)
    typed = told[1].replace("rnnx predict", f"{sys.executable} -m rnnx.cli predict")
    answer = subprocess.run(typed, shell=True, cwd=command.folder, capture_output=True, text=True)
    assert (answer.returncode, answer.stderr, answer.stdout.count("\n")) == (0, "", 1)


def test_a_dry_run_shows_a_configuration_that_runs_and_the_size_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(
        "run", "task=nmt", "data.train=200", "cell.hidden_size=8", "task.attention=none", "--dry-run"
    )
    assert (done.exit_code, done.stderr) == (0, "")
    assert not list(tmp_path.iterdir())
    (tmp_path / "again.yaml").write_text(done.stdout)
    assert invoke("run", "again.yaml", "--dry-run").stdout == done.stdout
    cell = yaml().load(done.stdout)["cell"]
    assert (cell["name"], cell["hidden_size"], cell["reset"]) == ("gru", 8, "after")
    sizes = {line.split()[1]: line.split()[-1] for line in done.stdout.splitlines() if line[:1] == "#"}
    total, *modules = (int(size.replace(",", "")) for size in sizes.values())
    assert total == sum(modules)
    assert sizes["encoder"] == f"{3 * 8 * (256 + 8 + 2):,}"  # three gates, embeddings of 256, two biases


def test_a_program_is_told_the_same_of_a_dry_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("run", "task=nmt", "data.train=200", "cell.hidden_size=8", "--dry-run")
    told, shown = json.loads(invoke(*words, "--json").stdout), invoke(*words).stdout
    assert told["config"] == yaml().load(shown)
    assert f"# parameters: {sum(told['parameters'].values()):,}\n" in shown


PARALLEL = {"train.de": b"a\nb\nc\n", "train.en": b"a\nb\nc\n", "dev.de": b"a\n", "dev.en": b"a\n"}


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        (
            {"train.de": b"a\nb\n"},
            1,
            "train.de: 2 lines, but 'train.en' has 3; "
            "line n of one must be the translation of line n of the other",
        ),
        (
            {"dev.en": b""},
            2,
            "data.valid: the file 'dev.en' is empty",
        ),
        (
            {"train.en": b"a\nb\xfcb\nc\n"},
            1,
            "train.en:2: not UTF-8: byte 0xfc at byte 2 of the line; "
            "convert the file, for example with iconv -f latin1 -t utf-8",
        ),
        (
            {"train.en": None, "train.en.gz": gzip.compress(b"a\nb\nc\n", mtime=0)[:-9]},
            1,
            "train.en.gz: the gzip archive is cut off; copy or download it again",
        ),
        (
            {"dev.de": None},
            2,
            "data.valid: neither 'dev.de' nor 'dev.de.gz' exists; the folder '.' holds dev.en",
        ),
    ],
)
def test_files_that_cannot_be_read(tmp_path, monkeypatch, files, code, message):
    monkeypatch.chdir(tmp_path)
    for name, bytes_ in (PARALLEL | files).items():
        if bytes_ is not None:
            (tmp_path / name).write_bytes(bytes_)
    before = content(tmp_path)
    words = (
        "data=files data.train=train data.valid=dev data.test=dev data.source=de data.target=en logger=none"
    )
    done = invoke("run", *words.split())
    assert (done.exit_code, done.stdout) == (code, "")
    assert f"rnnx: {message}" in done.stderr.splitlines()
    assert content(tmp_path) == before


def test_a_run_that_exists_is_not_overwritten(trained, monkeypatch):
    folder = trained[0].folder
    monkeypatch.chdir(folder)
    before = content(folder)
    done = invoke("run", "data.train=200", "logger=none", f"name={RUN}")
    assert done.exit_code == 2
    assert done.stderr == (
        "rnnx: name: the run folder runs/it's small exists already, and nothing in it is overwritten; "
        "give another name, or remove it\n"
    )
    assert content(folder) == before


@pytest.mark.parametrize("name", ["../esc", "."])
def test_a_run_stays_in_the_folder_of_runs(rnnx, name):
    done = rnnx("run", "data.train=200", "logger=none", "out=runs/mine", f"name={name}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rnnx: name: expected that of a folder within the folder of runs, got ")
    assert not list(rnnx.folder.iterdir())


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 3)  # 3,000
        self.output = nn.Linear(3, 1000)  # 1,000 of its own: the biases
        self.output.weight = self.embedding.weight
        self.scale = nn.Parameter(torch.ones(5))


def test_what_is_shared_is_counted_once():
    assert parameters(Tied()) == {"embedding": 3000, "output": 1000, "scale": 5}
