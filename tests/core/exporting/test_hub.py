from __future__ import annotations

import socket
from pathlib import Path

import pytest
from huggingface_hub import constants

from rnnx.core.errors import RunError, UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.exporting import exported, hub
from rnnx.core.run import Run
from rnnx.core.task import Task
from tests.hub_server import Hub


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    experiment = Experiment.from_words("task=memory", "cell.hidden_size=4")
    _, task = experiment.prepare()
    assert isinstance(task, Task)
    return Run(tmp_path, experiment.config, task.eval())


def test_a_model_is_uploaded_in_one_commit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        assert hub.push(run, "me/model", message="the first") == f"{server.address}/me/model"
    assert server.files.keys() == {"README.md", "config.yaml", "model.json", "model.safetensors"}
    assert b"# model\n" in server.files["README.md"]
    assert server.summary == "the first"
    assert server.tokens == {"hf_mine"}
    assert "visibility" not in server.created[0]


def test_what_was_exported_is_uploaded_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run.folder / "mine"
    exported.write(run, folder)
    (folder / "README.md").write_text("my own words")
    with Hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        hub.push(Run.load(folder), "me/model")
    assert server.files == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_private_model_is_never_uploaded_to_where_all_see_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hub(private=True) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        hub.push(run, "me/model", private=True)
    assert server.created[0]["visibility"] == "private"
    assert server.files
    with Hub(private=False) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        with pytest.raises(UsageError, match="me/model is there already, for all to see"):
            hub.push(run, "me/model", private=True)
    assert not server.files


def test_what_the_hub_refuses_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hub(status=403) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        with pytest.raises(
            RunError, match=r"me/model: could not be pushed to http://127\S+: .*403"
        ) as caught:
            hub.push(run, "me/model")
    assert "\n" not in str(caught.value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(RunError, match="could not be pushed to http://127"):
            hub.push(run, "me/model")


def test_a_name_that_none_can_have_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="REPO: expected OWNER/NAME, got 'me/my/model'"):
        hub.push(run, "me/my/model")


def test_without_a_token_it_says_so(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="no token of Hugging Face's: say `hf auth login`, or set HF_TOKEN"):
        hub.push(run, "me/model")
