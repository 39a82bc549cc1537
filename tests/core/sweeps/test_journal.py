from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from rnnx.core.sweeps.journal import Turn, journal

HOLD = """
import sys, time
from pathlib import Path
from rnnx.core.sweeps.journal import Turn
Turn(Path(sys.argv[1])).acquire()
print("mine", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_a_study_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal"
    study = optuna.create_study(storage=journal(path), study_name="mine")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    again = optuna.load_study(storage=journal(path), study_name="mine")
    assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
    assert len(again.trials) == 3


def test_the_turn_passes_on_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    study = optuna.create_study(storage=journal(path), study_name="mine")
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mine\n"
        holder.kill()
    study.set_user_attr("written", True)
    assert optuna.load_study(storage=journal(path), study_name="mine").user_attrs == {"written": True}


def test_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal(path)
    turn = Turn(path)
    turn.acquire()
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as other:
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(3)
        turn.release()
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        other.kill()


@pytest.mark.parametrize("torn", [b'{"op_code": 4, "work', b"{", b"x" * 100_000])
def test_a_line_that_was_left_unfinished_is_taken_away(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal"
    study = optuna.create_study(storage=journal(path), study_name="mine")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with path.open("ab") as file:
        file.write(torn)
    again = optuna.load_study(storage=journal(path), study_name="mine")
    again.add_trial(optuna.trial.create_trial(value=2.0))
    values = [t.value for t in optuna.load_study(storage=journal(path), study_name="mine").trials]
    assert values == [1.0, 2.0]
    assert [json.loads(line)["op_code"] for line in path.read_bytes().splitlines()] == [0, 4, 4]
