from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import pytest
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.predict import lines_of

RUN = "it's small"
HEAVY = {"torch", "lightning", "wandb", "matplotlib", "datasets"}


def invoke(*words, stdin=b""):
    """The command in this process."""
    return CliRunner().invoke(app, words, input=stdin, prog_name="rnnx")


def test_predict_answers_each_line_with_the_options_given(trained, monkeypatch):
    monkeypatch.chdir(trained[0].folder)
    lines = b"la casa\n\nel gato come\r\n"
    done = invoke("predict", f"runs/{RUN}", "beam_size=3", "n_best=2", "max_length=4", stdin=lines)
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split(" ||| ")[0] for line in done.stdout.splitlines()] == ["0", "0", "1", "1", "2", "2"]
    assert all(len(line.split(" ||| ")[1].split()) <= 4 for line in done.stdout.splitlines())


def test_lines_are_what_stands_between_line_feeds():
    stream = BytesIO("a\u2028b\x85c\r\n\n d".encode())
    assert list(lines_of(stream)) == ["a\u2028b\x85c", "", " d"]


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert list(lines_of(BytesIO("\ufeffa\n\ufeffb\n".encode()))) == ["a", "\ufeffb"]


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


@pytest.mark.parametrize("size", [1, 64])
def test_predict_names_the_line_that_is_not_utf_8_and_answers_those_before_it(trained, monkeypatch, size):
    monkeypatch.chdir(trained[0].folder)
    done = invoke("predict", RUN, f"batch_size={size}", stdin=b"la casa\nni\xf1o\n")
    assert done.exit_code == 1
    assert done.stderr == "rnnx: standard input:2: not UTF-8: byte 0xf1 at byte 3 of the line\n"
    assert done.stdout == invoke("predict", f"runs/{RUN}", stdin=b"la casa\n").stdout


def test_several_runs_answer_together_in_a_process_of_their_own(trained):
    """A run with itself is that run, in whatever order runs and options are typed."""
    command, _ = trained
    lines = "la casa\nel gato come\n"
    alone = command("predict", RUN, "beam_size=3", "n_best=2", stdin=lines)
    for words in ((RUN, "beam_size=3", "n_best=2"), ("beam_size=3", f"runs/{RUN}", "n_best=2", RUN)):
        done = command("predict", RUN, *words, stdin=lines)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", alone.stdout)
    assert len(alone.stdout.splitlines()) == 4
    done = command("predict", RUN, "it's smal", stdin=lines)
    expected = f"rnnx: no run \"it's smal\": expected a run's folder or the name of one ({RUN}"
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(expected)


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
        "rnnx: 'scores': expected OPTION=VALUE, or another run, and runs has none of that name",
        "rnnx: beam_siz: no such option of rnnx predict with task 'nmt'; did you mean 'beam_size'?",
        "rnnx: n_best: expected an integer of at least 1, got 'x'",
    ]


def test_predict_says_how_a_file_is_read(trained, monkeypatch, tmp_path):
    monkeypatch.chdir(trained[0].folder)
    (tmp_path / "my lines").write_text("la casa\n")
    done = invoke("predict", RUN, f"{tmp_path}/my lines", "gone.txt")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"rnnx: '{tmp_path}/my lines': expected OPTION=VALUE, or another run, and runs has none of that "
        f"name; lines are read from standard input: < '{tmp_path}/my lines'",
        "rnnx: 'gone.txt': expected OPTION=VALUE, or another run, and runs has none of that name",
    ]
