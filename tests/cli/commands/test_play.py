"""``rnnx play`` in the terminal, and on its page in a real browser."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rnnx.cli.commands.play import title
from rnnx.core.run import Run

RUN = "it's small"


def test_the_terminal_shows_the_texts_of_a_view(trained, using) -> None:
    rnnx, _ = trained
    done = rnnx("play", RUN, "--terminal", stdin="la casa\nel gato\n")
    assert (done.returncode, done.stderr) == (0, "")
    translated = using("predict", RUN, stdin="la casa\nel gato\n").stdout.splitlines()
    lines = done.stdout.splitlines()
    shown = [line.removeprefix("translation: ") for line in lines if line.startswith("translation: ")]
    assert shown == [line for line in translated if line]
    headers = [lines[at + 1].split() for at, line in enumerate(lines) if line == "attention:"]
    read = (["la", "casa", "<eos>"], ["el", "gato", "<eos>"])
    assert headers == [words for words, line in zip(read, translated, strict=True) if line]

    units = using("play", RUN, "--terminal", "--view", "units", stdin="la casa\n").stdout.splitlines()
    assert re.fullmatch(
        r"unit 0 of .*state 1: la [+-]\d\.\d\d casa [+-]\d\.\d\d <eos> [+-]\d\.\d\d", units[0]
    )


def test_a_line_that_cannot_be_shown_is_told_and_the_next_one_shown(using) -> None:
    words = ("data.length=3", "data.train=8", "data.valid=4", "data.test=4", "trainer.max_epochs=1")
    using("run", "task=memory", "data=adding", "cell.hidden_size=4", *words, "logger=none", "name=sums")
    line = "0.5:0 0.25:1 0.5:1\n"
    done = using("play", "sums", "--terminal", stdin=f"{line}0.5:0 x\n{line}")
    problem = "the input:2: expected 2 finite numbers separated by :, got 0 in 'x'"
    assert (done.returncode, done.stderr) == (1, f"rnnx: {problem}\n")
    assert done.stdout == using("play", "sums", "--terminal", stdin=2 * line).stdout != ""


def test_words_set_the_options_of_a_view_in_the_terminal(using) -> None:
    for unit in ("0", "2"):
        shown = using("play", RUN, "--terminal", "--view", "units", f"unit={unit}", stdin="la\n").stdout
        assert shown.startswith(f"unit {unit} of ")

    done = using("play", RUN, "--terminal", "beam_sise=2", "5", "n_best=0", stdin="la\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "rnnx: '5': expected OPTION=VALUE",
        "rnnx: beam_sise: no such option of the view 'translate'; did you mean 'beam_size'?",
        "rnnx: n_best: expected an integer of at least 1, got 0",
    ]
    done = using("play", RUN, "beam_size=2")
    said = "rnnx: beam_size=2: of no use without --terminal; leave it out\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_the_page_is_called_as_its_model(trained) -> None:
    command, _ = trained
    run = Run.load("it's small", out=command.folder / "runs")
    assert title(run) == "it's small: nmt, gru"
    run.checkpoint = run.folder / "checkpoints" / "last.ckpt"
    assert title(run) == "it's small, last.ckpt: nmt, gru"


def test_what_cannot_be_played_is_said(using) -> None:
    done = using("play", RUN, "--terminal", "--view", "tree")
    assert (done.returncode, done.stderr) == (
        2,
        "rnnx: --view: expected one of translate, units, got 'tree'\n",
    )
    for words, option in ((("--terminal", "--port", "7000"), "--port"), (("--view", "units"), "--view")):
        done = using("play", RUN, *words)
        assert done.returncode == 2
        assert done.stderr.startswith(f"rnnx: {option}: of no use with")
    done = using("play", "nothing", "--terminal")
    assert done.returncode == 2
    assert done.stderr.startswith("rnnx: no run 'nothing'")


def test_without_gradio_the_command_that_installs_it_is_said(trained, tmp_path: Path) -> None:
    (tmp_path / "gradio.py").write_text("raise ImportError", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "rnnx.cli", "play", RUN],
        cwd=trained[0].folder,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    sentence = "rnnx play needs Gradio, which is not installed: pip install 'rnnx[play]'; or say --terminal"
    assert (done.returncode, done.stderr) == (2, f"rnnx: {sentence}\n")


@contextmanager
def playing(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command at work, and the address of its page."""
    started = subprocess.Popen(
        [sys.executable, "-m", "rnnx.cli", "play", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert started.stdout is not None
        told = re.fullmatch(
            r"play at (http://127\.0\.0\.1:\d+)/ \(Ctrl-C ends it\)\n", started.stdout.readline()
        )
        assert told, started.stderr and started.stderr.read()
        yield started, told[1]
    finally:
        started.kill()
        started.communicate()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def own_address() -> str:
    """The machine's address on its network; one of loopback's others where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return "127.0.0.2"
        return str(probe.getsockname()[0])


@pytest.mark.browser
def test_the_page_shows_what_the_model_makes_of_a_sentence(trained, page: Page, problems: list[str]) -> None:
    port = free_port()
    with playing(trained[0].folder, RUN, "--port", str(port), "--no-open") as (command, address):
        assert address == f"http://127.0.0.1:{port}"
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((own_address(), port), timeout=10)

        page.goto(address)
        page.get_by_label("text").first.fill("la casa")
        page.get_by_role("button", name="show").first.click()
        exhibits = page.locator(".exhibits").first
        expect(exhibits.get_by_role("img")).to_have_attribute(
            "alt", "What was looked at in 'la casa' for each word of the translation"
        )
        translated = trained[0]("predict", RUN, stdin="la casa\n").stdout.strip()
        expect(exhibits.locator("p").first).to_have_text(translated)

        page.get_by_role("tab", name="units").click()
        page.get_by_label("text").last.fill("la casa")
        page.keyboard.press("Enter")
        exhibits = page.locator(".exhibits").last
        expect(exhibits.locator("h3").first).to_have_text(re.compile("^unit 0 of .* state 1$"))
        page.get_by_role("spinbutton").last.fill("3")
        page.keyboard.press("Tab")
        expect(exhibits.locator("h3").first).to_have_text(re.compile("^unit 3 of .* state 1$"))
        page.get_by_label("text").last.fill("")
        page.get_by_role("button", name="show").last.click()
        expect(exhibits).not_to_contain_text("casa")
        assert not problems
        page.close()  # one left open asks for its server; one that is left tells what it cut short

        command.send_signal(signal.SIGINT)
        _, told = command.communicate(timeout=60)
        assert (command.returncode, told) == (130, "rnnx: stopped by SIGINT\n")


@pytest.mark.browser
def test_a_port_that_is_taken_is_said(trained) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = trained[0]("play", RUN, "--port", str(port))
    assert (done.returncode, done.stderr) == (2, f"rnnx: --port: {port} is taken; give another, or none\n")
