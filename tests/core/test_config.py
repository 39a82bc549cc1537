"""Everything that decides a run: written, and read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core.resolution import resolve

pytestmark = pytest.mark.usefixtures("zoo")


def test_plain_data_for_the_net() -> None:
    assert resolve(["cell=lstm", "net.layers=2"]).net_plain == {
        "cell": {"name": "lstm", "hidden_size": 128, "peephole": False, "activation": "tanh"},
        "layers": 2,
        "dropout": 0.0,
    }
    assert resolve([]).net_plain["cell"]["sizes"] == [1, 2]


def test_a_saved_configuration_runs_again_as_it_is() -> None:
    config = resolve(
        ["cell.hidden_size=3", "cell.sizes=[4]", "name=1e-4", "data=files", "data.train=a", "data.valid=b"]
    )
    config.dump(Path("config.yaml"))
    assert resolve(["config.yaml"]) == config
    assert resolve(["config.yaml"]).cell.options["sizes"] == (4,)
