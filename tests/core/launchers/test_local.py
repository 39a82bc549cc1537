from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest

from rnnx.core.errors import Interrupted, RunError
from rnnx.core.launchers.local import Local

THREADS = "import torch; from pathlib import Path; Path({!r}).write_text(str(torch.get_num_threads()))"


def test_work_is_done_in_another_process(tmp_path: Path) -> None:
    Local(tmp_path, 1).run(
        partial(exec, f"import os; os.mkdir({str(tmp_path / 'of ')!r} + str(os.getpid()))")
    )
    (made,) = tmp_path.iterdir()
    assert made.name.startswith("of ")
    assert made.name != f"of {os.getpid()}"


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (partial(os._exit, 3), "its process ended with exit code 3"),
        (partial(signal.raise_signal, signal.SIGKILL), "its process was ended by SIGKILL"),
        (
            partial(exec, f"from {Interrupted.__module__} import Interrupted; raise Interrupted(15)"),
            "code 143",
        ),
    ],
)
def test_a_worker_that_does_not_end_well_is_told(tmp_path: Path, work: partial[None], reason: str) -> None:
    with pytest.raises(RunError, match=reason):
        Local(tmp_path, 1).run(work)


def test_cores_are_shared_unless_threads_are_said(tmp_path: Path) -> None:
    many = 3 * (os.cpu_count() or 1)
    for name, launcher in (("shared", Local(tmp_path, many)), ("said", Local(tmp_path, many, threads=2))):
        launcher.run(partial(exec, THREADS.format(str(tmp_path / name))))
    assert [(tmp_path / name).read_text() for name in ("shared", "said")] == ["1", "2"]


def test_workers_can_be_stopped(tmp_path: Path) -> None:
    launcher = Local(tmp_path, 2)
    reasons: list[str] = []

    def run(name: str) -> None:
        program = (
            f"import time; from pathlib import Path; Path({str(tmp_path / name)!r}).touch(); time.sleep(600)"
        )
        with pytest.raises(RunError) as error:
            launcher.run(partial(exec, program))
        reasons.append(str(error.value))

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    while {path.name for path in tmp_path.iterdir()} != {"a", "b"}:
        time.sleep(0.05)
    launcher.stop()
    for thread in threads:
        thread.join()
    assert reasons == ["its process was ended by SIGTERM"] * 2


def test_ctrl_c_is_not_heard_by_a_worker_that_has_just_been_started(tmp_path: Path) -> None:
    """It is meant for the process that waits, and a worker that heard it would show where it imports what."""
    ended = threading.Event()

    def run() -> None:
        Local(tmp_path, 1).run(partial(exec, f"import os; os.mkdir({str(tmp_path / 'done')!r})"))
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    sent = 0
    while thread.is_alive():
        for child in active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGINT)
            sent += 1
        time.sleep(0.01)
    assert sent > 1
    assert ended.is_set()
    assert (tmp_path / "done").exists()


def test_when_workers_were_stopped_none_begins_any_more(tmp_path: Path) -> None:
    """As one that was about to, while Ctrl-C came: nobody would end it."""
    launcher = Local(tmp_path, 1)
    launcher.stop()
    with pytest.raises(RunError, match="the workers were stopped before it began"):
        launcher.run(partial(exec, f"import os; os.mkdir({str(tmp_path / 'done')!r})"))
    assert list(tmp_path.iterdir()) == []
