from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core.baseline import Baseline
from rnnx.core.experiment import Experiment


def test_every_part_of_the_contract_must_be_kept() -> None:
    class Guess(Baseline):
        def __init__(self, meta):
            self.meta = meta

        def fit(self, batches):
            pass

        def evaluate(self, batches, split):
            return {"loss": 1.0}

    with pytest.raises(TypeError, match="parameters"):
        Guess({})


def test_a_baseline_and_a_net_are_compared_by_the_same_metrics_of_the_same_text(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("she sells sea shells by the sea shore\n" * 60)
    words = ("task=lm", "cell=elman", "data=files", f"data.text={text}", "logger=none", f"out={tmp_path}")
    small = ("cell.hidden_size=8", "task.embedding_size=8", "trainer.max_epochs=1")
    net = Experiment.from_words(*words, *small).run().values
    counts = Experiment.from_words(*words, "baseline=ngram").run().values
    assert net.keys() == counts.keys()
    for split in ("valid", "test"):
        assert net[split].keys() == counts[split].keys()
    # a line that was seen sixty times: sure of nearly every character, where a net of one epoch is not
    assert counts["test"]["perplexity"] < 1.2 < net["test"]["perplexity"]
