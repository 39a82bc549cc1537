from __future__ import annotations

from importlib.metadata import version


def test_the_module_is_the_command(rnnx):
    done = rnnx("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rnnx {version('rnnx')}\n", "")
