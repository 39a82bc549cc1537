"""``rnnx`` and ``python`` for blocks of code: forked from a process that has imported torch already."""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TRAINING = ("run", "matrix", "sweep", "find-lr")
SMALL = ("cell.hidden_size=32",)  # before the words of the page, which win
LIMITS = (  # after them, so that a run is cut short; the page shows it whole
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=1",
    "trainer.limit_test_batches=1",
)
SHORTENED = {  # what follows a command's words
    "run": LIMITS,
    "find-lr": ("--steps", "20"),
    "resume": ("trainer.max_epochs=2",),
    "matrix": (*LIMITS, "seed=1"),
    "sweep": (*LIMITS, "seed=1", "--trials", "1", "--jobs", "1"),
    "bench": ("--seconds", "0", "--rounds", "1", "--settings", "a"),
}
FEW = ("data.train=200", "data.valid=20", "data.test=20")
TOYS = {"lm": ("data.characters=20000",)} | dict.fromkeys(
    ("captioning", "memory", "ner", "nmt", "sentiment", "video"), FEW
)
CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"\\n"], [0, 1, 2])
    program, *words = sys.argv
    here = dict(folder=os.getcwd(), environment=dict(os.environ))
    request = dict(program=os.path.basename(program), words=words, **here)
    server.sendall(json.dumps(request).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(ord(server.recv(1) or b"\\xff"))
"""


@contextmanager
def programs(folder: Path) -> Iterator[Path]:
    """A folder with ``rnnx``, shortened, ``rnnx-as-typed`` and ``python``, until the context is left."""
    address = str(folder / "socket")
    server = subprocess.Popen([sys.executable, "-m", "tests.docs.warm", address])
    try:
        for name in ("rnnx", "rnnx-as-typed", "python"):
            path = folder / name
            path.write_text(CLIENT.format(python=sys.executable, address=address))
            path.chmod(0o755)
        while not Path(address).exists():
            assert server.poll() is None
            time.sleep(0.05)
        yield folder
    finally:
        server.kill()
        server.wait()


def serve(address: str) -> None:
    """Answers programs that connect, each in a process of its own."""
    import lightning  # noqa: F401
    import torchmetrics  # noqa: F401

    import rnnx.cli.app
    import rnnx.core.experiment  # noqa: F401

    gc.freeze()  # so that no child goes through it, and copies its memory
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                answer(connection)
            connection.close()


def answer(connection: socket.socket) -> None:
    """Becomes the program, and leaves with its exit code."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as stream:
        request = json.load(stream)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    code = 1
    try:
        code = _exit_code(request)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code]))
        os._exit(code)


def _exit_code(request: dict[str, Any]) -> int:
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(":"))
    words = request["words"]
    try:
        if request["program"] == "python":
            sys.argv = words
            sys.path.insert(0, str(Path(words[0]).parent))
            runpy.run_path(words[0], run_name="__main__")
        else:
            from rnnx.cli.app import main

            sys.argv = ["rnnx", *(shortened(words) if request["program"] == "rnnx" else words)]
            main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    return 0


def shortened(words: list[str]) -> list[str]:
    """A command as it is run here: what trains is small and soon over."""
    command, *rest = words
    before: list[str] = []
    if command in TRAINING:
        before += SMALL
        if not any(word.startswith("logger") for word in rest):
            before += ["logger=csv"]
        if not any(word.startswith("data=") or word.endswith(".yaml") for word in rest):
            tasks = [word.removeprefix("task=") for word in rest if word.startswith("task=")]
            before += TOYS.get((tasks or ["nmt"])[-1], ())
    after = () if "--dry-run" in rest else SHORTENED.get(command, ())
    return [command, *before, *rest, *after]


if __name__ == "__main__":
    serve(sys.argv[1])
