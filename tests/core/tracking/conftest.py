"""Words of a run that trackers follow."""

from __future__ import annotations

from pathlib import Path

import pytest

TEXT = ("cell=elman", "task=lm", "data=files", "cell.hidden_size=8", "task.embedding_size=8")


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be that is the question\n" * 40)
    return (*TEXT, f"data.text={text}", f"out={tmp_path / 'runs'}", "trainer.max_epochs=1")
