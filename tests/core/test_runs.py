from __future__ import annotations

import pytest

from rnnx.core.errors import UsageError
from rnnx.core.runs import find_run, names


@pytest.fixture
def out(tmp_path):
    for name in ("b", "a"):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "config.yaml").touch()
    (tmp_path / "out" / "no-run").mkdir()
    return tmp_path / "out"


def test_a_run_is_found_by_its_folder_and_by_its_name(out):
    assert find_run(out / "a") == out / "a"
    assert find_run("a", out) == out / "a"


def test_a_folder_without_a_configuration_is_no_run(out):
    assert names(out) == ["a", "b"]
    with pytest.raises(UsageError) as raised:
        find_run("no-run", out)
    assert str(raised.value) == "no run 'no-run': expected a run's folder or the name of one (a, b)"


def test_there_may_be_none(tmp_path):
    with pytest.raises(UsageError) as raised:
        find_run("a", tmp_path / "none")
    expected = f"no run 'a': expected a run's folder or the name of one (none yet in {tmp_path / 'none'})"
    assert str(raised.value) == expected
