from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core.errors import UsageError
from rnnx.core.launchers.launcher import Launcher, launcher_of
from rnnx.core.launchers.local import Local
from rnnx.core.registry import plugins
from rnnx.core.spec import Spec


def test_a_launcher_is_built_with_its_options(tmp_path: Path) -> None:
    spec = launcher_of("slurm", ["minutes=30", "parameters={slurm_account: mine}"])
    assert (spec.options["minutes"], spec.options["parameters"]) == (30, {"slurm_account": "mine"})
    local = launcher_of("local", ["threads=3"]).build(tmp_path, 2)
    assert isinstance(local, Local)
    assert (local.folder, local.jobs, local.threads) == (tmp_path, 2, 3)


def test_all_that_is_wrong_with_the_options_is_said() -> None:
    with pytest.raises(UsageError) as error:
        launcher_of("ray", ["cpus=0", "adress=auto"])
    assert error.value.problems == (
        "launcher.cpus: expected an integer of at least 1, got 0",
        "launcher.adress: no such option of launcher 'ray'; did you mean 'address'?",
    )


def test_no_such_launcher() -> None:
    with pytest.raises(UsageError, match="launcher: no such launcher 'sluurm'; did you mean 'slurm'"):
        launcher_of("sluurm", [])


@pytest.mark.parametrize("plugin", plugins("launcher"), ids=lambda plugin: plugin.name)
def test_every_launcher_is_one_and_has_defaults(plugin) -> None:
    assert issubclass(plugin.load(), Launcher)
    assert isinstance(launcher_of(plugin.name, []), Spec)
