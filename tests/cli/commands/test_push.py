from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.hub_server import Hub

if TYPE_CHECKING:
    from conftest import CommandLine


def test_a_run_is_pushed(
    trained: tuple[CommandLine, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rnnx, _ = trained
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with Hub(private=True) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        done = rnnx("push", "it's small", "me/model", "--private", "--message", "mine")
    assert (done.returncode, done.stdout) == (0, f"{server.address}/me/model\n"), done.stderr
    assert done.stderr == ""
    assert {"README.md", "config.yaml", "model.json", "model.safetensors", "result.json"} == set(server.files)
    assert (server.summary, server.tokens) == ("mine", {"hf_mine"})
