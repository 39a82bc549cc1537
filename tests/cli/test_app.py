from __future__ import annotations

import gzip
import json
import pickle
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from importlib.metadata import distribution, entry_points
from io import BytesIO
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread
from typer.testing import CliRunner

from rnnx.cli.app import _lines, app
from rnnx.core.options import yaml

RUN = "it's small"
CELLS = ", ".join(sorted(entry_points(group="rnnx.cells").names))
TASKS = ", ".join(sorted(entry_points(group="rnnx.tasks").names))
HEAVY = {"torch", "lightning", "wandb", "matplotlib", "datasets"}


def invoke(*words, stdin=b""):
    """The command in this process."""
    return CliRunner().invoke(app, words, input=stdin, prog_name="rnnx")


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_console_script_is_the_command():
    (script,) = distribution("rnnx").entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("rnnx", "rnnx.cli.app:main")


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


def test_test_measures_what_the_run_measured(trained, monkeypatch):
    monkeypatch.chdir(trained[0].folder)
    result = json.loads(Path("runs", RUN, "result.json").read_text())
    assert json.loads(invoke("test", RUN, "--json").stdout) == pytest.approx(result["test"])
    rows = [line.split() for line in invoke("test", RUN).stdout.splitlines()]
    assert ["loss", f"{result['test']['loss']:.3f}"] in rows


def test_predict_answers_each_line_with_the_options_given(trained, monkeypatch):
    monkeypatch.chdir(trained[0].folder)
    lines = b"la casa\n\nel gato come\r\n"
    done = invoke("predict", f"runs/{RUN}", "beam_size=3", "n_best=2", "max_length=4", stdin=lines)
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split(" ||| ")[0] for line in done.stdout.splitlines()] == ["0", "0", "1", "1", "2", "2"]
    assert all(len(line.split(" ||| ")[1].split()) <= 4 for line in done.stdout.splitlines())


def test_lines_are_what_stands_between_line_feeds():
    stream = BytesIO("a\u2028b\x85c\r\n\n d".encode())
    assert list(_lines(stream)) == ["a\u2028b\x85c", "", " d"]


def test_predict_answers_before_its_input_ends(trained):
    command, _ = trained
    words = [sys.executable, "-m", "rnnx.cli", "predict", RUN, "batch_size=1", "max_length=2", "beam_size=1"]
    with subprocess.Popen(
        words, cwd=command.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        for _ in range(2):
            process.stdin.write(b"la casa\n")
            assert process.stdout.readline().endswith(b"\n")
        process.stdin.close()
        assert process.wait() == 0


def test_predict_without_input_writes_nothing(trained, monkeypatch):
    monkeypatch.chdir(trained[0].folder)
    done = invoke("predict", RUN)
    assert (done.exit_code, done.output) == (0, "")


def test_predict_ends_quietly_when_nobody_reads(trained):
    command, _ = trained
    predict = f"{sys.executable} -m rnnx.cli predict runs/it*small max_length=1 beam_size=1"
    typed = f"yes la casa | {predict} | head -n 1"
    done = subprocess.run(typed, shell=True, cwd=command.folder, capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout.count("\n")) == ("", 1)


def test_predict_names_the_line_that_is_not_utf_8(trained, monkeypatch):
    monkeypatch.chdir(trained[0].folder)
    done = invoke("predict", RUN, "batch_size=1", stdin=b"la casa\nni\xf1o\n")
    assert done.exit_code == 1
    assert done.stderr == "rnnx: standard input:2: not UTF-8: byte 0xf1 at byte 3 of the line\n"


def test_what_was_typed_wrong_is_told_all_at_once(rnnx):
    words = "cell=gruu task=nmt net.layers=two data=toy data.sise=3 net.skip=resid trainer.max_epoch=2 sed=1"
    done = rnnx("run", *words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert sorted(done.stderr.splitlines()) == [
        f"rnnx: cell: no such cell 'gruu'; did you mean 'gru'? (cells: {CELLS})",
        "rnnx: data.sise: no such option of data 'toy'",
        "rnnx: net.layers: expected an integer of at least 1, got 'two'",
        "rnnx: net.skip: 'resid' is not one of none, residual, dense, highway; did you mean 'residual'?",
        "rnnx: no such key 'sed'; did you mean 'seed'?",
        "rnnx: trainer.max_epoch: no such option of trainer; did you mean 'max_epochs'?",
    ]
    assert not list(rnnx.folder.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run task=nmtt", f"task: no such task 'nmtt'; did you mean 'nmt'? (tasks: {TASKS})"),
        (
            "run data=tpy",
            "data: no such data 'tpy' of task 'nmt'; did you mean 'toy'? (data: files, hub, toy)",
        ),
        (
            "run cell.hiden_size=3",
            "cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'?",
        ),
        (
            "run cell.reset=befor",
            "cell.reset: 'befor' is not one of before, after; did you mean 'before'?",
        ),
        ("run a.yaml", "'a.yaml': expected KEY=VALUE or the path of a YAML file, and there is no such file"),
        ("test nothing", "no run 'nothing': expected a run's folder or the name of one (none yet in runs)"),
        (
            "predict nothing --out old",
            "no run 'nothing': expected a run's folder or the name of one (none yet in old)",
        ),
        (
            "show cell lstn",
            f"cell: no such cell 'lstn'; did you mean 'lstm'? (cells: {CELLS})",
        ),
    ],
)
def test_what_does_not_exist(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    done = invoke(*words.split())
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"rnnx: {message}\n")


def test_options_of_predict_are_checked_before_torch_is_imported(trained):
    command, _ = trained
    program = (
        "import sys; from rnnx.cli.app import app\n"
        f"try: app(['predict', {RUN!r}, 'beam_siz=3', 'n_best=x', 'scores'])\n"
        f"finally: print(sorted({HEAVY} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=command.folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "[]\n")
    assert done.stderr.splitlines() == [
        "rnnx: 'scores': expected OPTION=VALUE",
        "rnnx: beam_siz: no such option of rnnx predict with task 'nmt'; did you mean 'beam_size'?",
        "rnnx: n_best: expected an integer of at least 1, got 'x'",
    ]


@pytest.mark.parametrize("words", [["--nothing"], ["nothing"], ["run", "--nothing"], ["test"]])
def test_the_usage_of_a_command_is_told_with_exit_code_2(words):
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage: rnnx" in done.stderr


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
            1,
            "dev.en: the file is empty; expected UTF-8 text",
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


@pytest.fixture
def checkpoint(trained, tmp_path, monkeypatch):
    """The best checkpoint of a copy of the run."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained[0].folder / "runs" / RUN, tmp_path / "copy")
    return tmp_path / "copy" / "checkpoints" / "best.ckpt"


def refused(reason):
    """The copy cannot be used for this reason."""
    for command in ("test", "predict"):
        done = invoke(command, "copy")
        assert (done.exit_code, done.stdout) == (1, "")
        path = "copy/checkpoints/best.ckpt"
        assert (
            done.stderr
            == f"rnnx: {path}: expected a checkpoint, but {reason}; use another one, or train again\n"
        )


def test_a_checkpoint_that_is_cut_off_is_refused(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    refused("it is cut off or no checkpoint")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("legacy", [True, False])
def test_a_checkpoint_that_would_run_code_is_refused_and_not_run(checkpoint, tmp_path, legacy):
    harm = tmp_path / "harm"
    bomb = {"state_dict": {}, "hyper_parameters": Bomb(harm)}
    if legacy:
        checkpoint.write_bytes(pickle.dumps(bomb))
        refused("it is cut off or no checkpoint")
    else:
        torch.save(bomb, checkpoint)
        refused("it holds something other than tensors and plain data")
    assert not harm.exists()


def test_a_checkpoint_of_something_else_is_refused(checkpoint):
    torch.save({"weights": torch.zeros(3)}, checkpoint)
    done = invoke("test", "copy")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "rnnx: copy/checkpoints/best.ckpt: expected a checkpoint of rnnx's, but it holds no model; "
        "use a file that rnnx wrote\n"
    )


def test_an_unforeseen_error_is_one_sentence_and_a_traceback_on_request(monkeypatch):
    def broken(run, out):
        raise ZeroDivisionError(f"not with {run}")

    monkeypatch.setattr("rnnx.cli.app.find_run", broken)
    done = invoke("test", "mine")
    assert (done.exit_code, done.stdout) == (1, "")
    expected = "rnnx: internal error: ZeroDivisionError: not with mine (use --debug for the traceback)\n"
    assert done.stderr == expected
    for debugging in (("--debug", "test", "mine"), ("test", "mine", "--debug")):
        done = invoke(*debugging)
        assert done.exit_code == 1
        assert done.stderr.startswith("Traceback (most recent call last):\n")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(signum, code, rnnx):
    words = "run data.train=99 data.valid=2 data.test=2 trainer.max_epochs=9999 cell.hidden_size=4 logger=csv"
    with subprocess.Popen(
        [sys.executable, "-m", "rnnx.cli", *words.split()],
        cwd=rnnx.folder,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    ) as process:
        assert process.stderr.readline().startswith("epoch 1 ")
        process.send_signal(signum)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == code
    said = rest.splitlines()[-1]
    assert said == f"rnnx: stopped by {signum.name}; go on with: rnnx resume runs/nmt-gru"
    assert "Traceback" not in rest

    rows = (rnnx.folder / "runs/nmt-gru/metrics.csv").read_text().splitlines()
    epochs = int(rows[-1].partition(",")[0])
    gone_on = rnnx("resume", "runs/nmt-gru", f"trainer.max_epochs={epochs + 1}")
    assert gone_on.returncode == 0
    assert (rnnx.folder / "runs/nmt-gru/result.json").exists()
    again = (rnnx.folder / "runs/nmt-gru/metrics.csv").read_text().splitlines()
    assert again[1].startswith(rows[1])
    assert int(again[-1].partition(",")[0]) == epochs + 1


def test_a_learning_rate_is_found(rnnx):
    words = "find-lr data.train=99 data.valid=2 data.test=2 cell.hidden_size=8 --steps 30 --plot rates.png"
    done = rnnx(*words.split())
    assert re.fullmatch(r"optimizer.lr=\S+\n", done.stdout)
    assert 1e-6 <= float(done.stdout.partition("=")[2]) <= 1
    assert imread(rnnx.folder / "rates.png").ndim == 3
    assert [path.name for path in rnnx.folder.iterdir()] == ["rates.png"]


def test_a_run_that_has_ended_is_not_resumed(rnnx):
    words = "run data.train=20 data.valid=2 data.test=2 trainer.max_epochs=1 cell.hidden_size=4 logger=none"
    assert rnnx(*words.split()).returncode == 0
    done = rnnx("resume", "nmt-gru")
    assert done.returncode == 2
    assert done.stderr.startswith("rnnx: runs/nmt-gru: the run has ended")
    assert rnnx("resume", "nmt-gruu").stderr.startswith("rnnx: no run 'nmt-gruu'")


@pytest.mark.parametrize("words", ["--help", "list", "show cell gru", "run --help", "run cell=gruu"])
def test_an_answer_that_needs_no_model_imports_no_torch(words):
    program = (
        "import sys; from rnnx.cli.app import app\n"
        f"try: app({words.split()})\n"
        f"finally: print(sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.endswith("[]\n")
